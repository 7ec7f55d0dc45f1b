package models

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// deed is one thing that is done to a key.
type deed struct {
	name   string
	leased bool // whether it takes a lease
	do     func(k *turns)
}

var deeds = []deed{
	{"rotate", false, func(k *turns) { k.rotate(nil, 8*3600, 0) }},
	{"rotate at once", false, func(k *turns) { k.rotate(nil, 0, 0) }},
	{"rotate to wait", false, func(k *turns) { k.rotate(nil, 3600, 7200) }},
	{"rotate by the newest", false, func(k *turns) { k.rotate(k.newest(), 3600, 30*3600) }},
	{"roll back", false, (*turns).rollback},
	{"finish", false, func(k *turns) { k.finish(0) }},
	{"finish with more", false, func(k *turns) { k.finish(7200) }},
	{"use", false, func(k *turns) { k.use(k.newest(), 1) }},
	{"delegate", false, func(k *turns) { k.delegate(k.newest()) }},
	{"revoke", false, func(k *turns) { k.revoke(nil) }},
	{"revoke by the newest", false, func(k *turns) { k.revoke(k.newest()) }},
	{"revoke by the one before", false, func(k *turns) { k.revoke(k.replaced()) }},
	{"disable", false, func(k *turns) { k.disable(true) }},
	{"enable", false, func(k *turns) { k.disable(false) }},
	{"stop the owner", false, func(k *turns) { k.stop("owners/acme") }},
	{"stop the role", false, func(k *turns) { k.stop("roles/web") }},
	{"delete", false, (*turns).remove},
	{"it waited for long enough", false, func(k *turns) { k.until(k.newest().waits) }},
	{"the grace is over", false, func(k *turns) { k.until(k.replaced().until) }},
	{"expire", false, func(k *turns) { k.until(k.current().expires) }},
	{"tidy", false, func(k *turns) { k.m.Tidy() }},
	{"restart", false, func(k *turns) { time.Sleep(time.Second); k.m.Restart() }},
	{"renew", true, func(k *turns) { k.renew(k.newest()) }},
	{"renew the one before", true, func(k *turns) { k.renew(k.replaced()) }},
	{"the lease ends", true, func(k *turns) { k.endLease(k.newest()) }},
	{"the lease of the one before ends", true, func(k *turns) { k.endLease(k.replaced()) }},
	{"the token ends", true, (*turns).endLeases},
}

// scenes are the states in which two deeds are done.
var scenes = []deed{
	{"a new key", false, func(*turns) {}},
	{"one that waits", false, func(k *turns) { k.rotate(nil, 3600, 30*3600) }},
	{"one in grace", false, func(k *turns) { k.rotate(nil, 8*3600, 0) }},
	{"one in grace by its use", false, func(k *turns) { k.rotate(nil, 3600, 30*3600); k.use(k.newest(), 1) }},
}

// TestEachPairOfOperationsIsWhatTheModelSays does each two of them after each other, in
// both orders, and looks at what the key is then, and some hours later.
func TestEachPairOfOperationsIsWhatTheModelSays(t *testing.T) {
	for _, leased := range []bool{false, true} {
		of := slices.DeleteFunc(slices.Clone(deeds), func(d deed) bool { return d.leased && !leased })
		for _, scene := range scenes {
			for _, first := range of {
				synctest.Test(t, func(t *testing.T) {
					m := turning(t, leased)
					for _, second := range of {
						k := issuedOn(m)
						k.told = append(k.told, scene.name, first.name, second.name)
						scene.do(k)
						first.do(k)
						k.settle()
						second.do(k)
						k.verify()
						time.Sleep(2 * time.Hour)
						k.look()
					}
				})
			}
		}
	}
}
