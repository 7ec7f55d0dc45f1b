package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
)

// keyring is the keys of one mount.
type keyring struct {
	mount         string
	size          int   // how many there are in all
	warm, limited []key // verified once, so that their proofs are in memory
	cold          []key // never verified
}

type key struct {
	Text string `json:"key"`
	ID   string `json:"key_id"`
}

// limits is a role that uses everything that verify can check, and a question
// that asks it.
var (
	limits = map[string]any{
		"generate_lease": false, "allowed_scopes": []string{"orders:*", "users:read", "billing:invoices:*"},
		"default_scopes": []string{"orders:*", "users:read"}, "bound_cidrs": []string{"10.0.0.0/8", "192.168.0.0/16", "2001:db8::/32"},
		"rate_limit": 1_000_000_000, "quota": 1_000_000_000_000, "quota_period": "30d", "metadata": map[string]any{"plan": "gold"},
	}
	limitedQuestion = map[string]any{"scopes": []string{"orders:read", "users:read"}, "client_ip": "10.1.2.3", "cost": 1}
)

// keyring issues n keys. A fifth of them, a thousand at least where there are so
// many, are warm; a few more have limits.
func (b *bed) keyring(mount string, n int) *keyring {
	write := func(path string, body any) {
		b.server.Expect(b.t, http.StatusOK, http.MethodPost, mount+"/"+path, body)
	}
	write("roles/plain", map[string]any{"generate_lease": false, "metadata": map[string]any{"plan": "gold"}})
	write("roles/leased", map[string]any{})
	write("roles/limited", limits)
	k := &keyring{mount: mount, size: n, limited: b.issue(mount+"/issue/limited", n/15)}
	all := b.issue(mount+"/issue/plain", n-len(k.limited))
	warm := max(n/5, min(1000, n/3))
	k.warm, k.cold = all[:warm:warm], all[warm:]
	b.warm(mount, k.warm, nil)
	b.warm(mount, k.limited, limitedQuestion)
	return k
}

func (b *bed) warm(mount string, keys []key, question map[string]any) {
	b.each(keys, func(l *line, k *key) error {
		c := b.verifies("warm up", mount+"/verify", []key{*k}, question, valid)
		return c.call(l, c.next())
	})
}

// issue mints keys of different owners.
func (b *bed) issue(path string, n int) []key {
	keys := make([]key, n)
	var count atomic.Int64
	b.each(keys, func(l *line, k *key) error {
		body := map[string]any{"owner": fmt.Sprintf("owner-%d", count.Add(1)%100), "name": "bench", "metadata": map[string]any{"env": "live"}}
		c := contender{name: path, want: `"key"`, keep: func(answer []byte) { *k = keyIn(answer) }}
		return c.call(l, b.client.request(http.MethodPost, path, body))
	})
	return keys
}

func keyIn(answer []byte) key {
	var a struct{ Data key }
	_ = json.Unmarshal(answer, &a) // an empty key fails where it is used
	return a.Data
}

// each does something with each key, a few at a time.
func (b *bed) each(keys []key, do func(l *line, k *key) error) { b.eachOn(3, keys, do) }

func (b *bed) eachOn(callers int, keys []key, do func(l *line, k *key) error) {
	var group sync.WaitGroup
	var index atomic.Int64
	lines := b.lines(callers)
	defer hangUp(lines)
	failed := make(chan error, len(lines))
	for _, l := range lines {
		group.Go(func() {
			for i := index.Add(1) - 1; i < int64(len(keys)); i = index.Add(1) - 1 {
				if err := do(l, &keys[i]); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-failed:
		b.t.Fatal(err)
	default:
	}
}
