package limits

import (
	"errors"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/surface"
)

// idleAfter is a timeout long enough for the requests in between on a busy machine.
const idleAfter = 5 * time.Second

func (e engine) idleRole(t *testing.T, more fields) {
	t.Helper()
	e.children(t, surface.With(fields{"idle_timeout": "5s"}, more))
}

// idle waits until a key that was last used at a moment has expired.
func idle(last time.Time) { sleepUntil(last.Add(idleAfter + time.Second)) }

func TestAKeyThatNobodyUsesExpiresForGood(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.idleRole(t, nil)
	unused, used, refused := e.issue(t, nil), e.issue(t, nil), e.issue(t, fields{"bound_cidrs": []string{"10.0.0.1"}})
	read := e.issue(t, nil)
	created := time.Now()
	for time.Since(created) < idleAfter+2*time.Second {
		e.WantCode(t, "valid", used.Text)
		// What is refused is no use.
		if d := e.Verify(t, refused.Text); d["code"] != "ip_denied" && d["code"] != "expired" {
			t.Fatalf("verify answers %v", d["code"])
		}
		time.Sleep(time.Second)
	}
	e.WantCode(t, "expired", unused.Text)
	e.WantCode(t, "expired", refused.Text)
	e.Refused(t, 409, "rotate/"+unused.ID, nil)
	e.Refused(t, 409, "keys/"+unused.ID, fields{"name": "changed"})
	e.Refused(t, 409, "delegate", fields{"key": unused.Text})
	surface.WantFields(t, "a read", e.Read(t, "keys/"+unused.ID), fields{"status": "expired", "last_used_at": ""})
	surface.WantFields(t, "a read", e.Read(t, "keys/"+read.ID), fields{"status": "expired"})
	// Raising the timeout, or taking it away, revives nothing, whoever was told.
	e.idleRole(t, fields{"idle_timeout": "1h"})
	e.WantCode(t, "expired", unused.Text)
	e.idleRole(t, fields{"idle_timeout": 0})
	e.WantCode(t, "expired", unused.Text)
	e.WantCode(t, "expired", read.Text)
	e.WantCode(t, "expired", refused.Text)
	e.WantCode(t, "valid", used.Text)
	eventually(t, "wait for the end to be written down", func() error {
		if at := surface.Moment(t, e.Read(t, "keys/"+unused.ID), "expires_at"); at.After(time.Now()) {
			return errors.New("the record does not know it")
		}
		return nil
	})
	// One with a use behind it, under a timeout that comes back later.
	e.idleRole(t, nil)
	e.WantCode(t, "valid", used.Text)
	idle(time.Now())
	e.WantCode(t, "expired", used.Text)
}

func TestAChildsUseKeepsItsAncestorsAlive(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.idleRole(t, nil)
	f := e.family(t, nil)
	sibling := e.delegate(t, f.root, nil)
	began := time.Now()
	for time.Since(began) < idleAfter+2*time.Second {
		e.WantCode(t, "valid", f.below.Text)
		time.Sleep(time.Second)
	}
	e.WantCode(t, "valid", f.child.Text)
	e.WantCode(t, "valid", f.root.Text)
	e.WantCode(t, "expired", sibling.Text)
}

func TestAnIdleParentEndsItsChildrenForGood(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.idleRole(t, nil)
	f := e.family(t, nil)
	idle(time.Now())
	for _, k := range []key{f.below, f.child, f.root} {
		e.WantCode(t, "expired", k.Text)
	}
	e.idleRole(t, fields{"idle_timeout": "1h"})
	for _, k := range []key{f.root, f.child, f.below} {
		e.WantCode(t, "expired", k.Text)
	}
}

func TestLastUsesAreShownOnKeysAndVersions(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, nil)
	first := e.issue(t, nil)
	child := e.delegate(t, first, nil)
	surface.WantFields(t, "unused", e.Read(t, "keys/"+first.ID), fields{"last_used_at": ""})
	used := func(k key, text string) time.Time {
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1050 * time.Millisecond)))
		before := time.Now().Truncate(time.Second)
		e.WantCode(t, "valid", text)
		at := surface.Moment(t, e.Read(t, "keys/"+k.ID), "last_used_at")
		if at.Before(before) || at.After(time.Now()) {
			t.Errorf("last_used_at is %s, used at %s", at, before)
		}
		return at
	}
	ofFirst := used(first, first.Text)
	second := e.rotate(t, first, nil)
	surface.WantFields(t, "the new version", version(t, e.Read(t, "keys/"+first.ID), 0), fields{"version": 2, "last_used_at": ""})
	ofSecond := used(first, second.Text)
	read := e.Read(t, "keys/"+first.ID)
	surface.WantFields(t, "the new version", version(t, read, 0), fields{"last_used_at": ofSecond})
	surface.WantFields(t, "the old one", version(t, read, 1), fields{"last_used_at": ofFirst})
	// A child's use is one of the key, through none of its versions.
	throughChild := used(first, child.Text)
	read = e.Read(t, "keys/"+first.ID)
	surface.WantFields(t, "the key", read, fields{"last_used_at": throughChild})
	surface.WantFields(t, "its newest version", version(t, read, 0), fields{"last_used_at": ofSecond})
	surface.WantFields(t, "the child", e.Read(t, "keys/"+child.ID), fields{"last_used_at": throughChild})
	// What is refused, and what proves a key elsewhere, is no use.
	e.WantCode(t, "insufficient_scope", second.Text, fields{"scopes": []string{"none"}})
	e.rotate(t, first, nil)
	surface.WantFields(t, "after refusals", e.Read(t, "keys/"+first.ID), fields{"last_used_at": throughChild})
}

func version(t *testing.T, read fields, at int) fields {
	t.Helper()
	list, _ := read["versions"].([]any)
	if at >= len(list) {
		t.Fatalf("there are %d versions", len(list))
	}
	v, _ := list[at].(map[string]any)
	return v
}
