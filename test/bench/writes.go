package main

import (
	"fmt"
	"net/http"
)

// writes measures what makes, changes and ends keys, one caller at a time.
func (b *bed) writes(k *keyring) {
	half := len(k.cold) / 2
	post := func(path string, body any) []byte { return b.client.request(http.MethodPost, path, body) }
	body := map[string]any{"owner": "owner-1", "name": "bench", "metadata": map[string]any{"env": "live"}}
	// Of keys that no later part of the run verifies.
	pool := func(keys []key, door string) [][]byte {
		requests := make([][]byte, len(keys))
		for i, one := range keys {
			requests[i] = post(k.mount+"/"+door+"/"+one.ID, nil)
		}
		return requests
	}
	rotate, revoke := k.cold[:half], k.cold[half:]
	once := func(keys []key, door string) func() []byte {
		next, _ := eachOf(pool(keys, door))
		return next
	}
	share := func(keys []key) int64 { return int64(max(1, len(keys)/b.plan.rounds)) }
	b.out.section(fmt.Sprintf("Writes, %d keys, one at a time", k.size))
	c := b.contest(1,
		&contender{name: "issue, unleased", next: anyOf(post(k.mount+"/issue/plain", body)), want: `"key"`},
		&contender{name: "issue, leased", next: anyOf(post(k.mount+"/issue/leased", body)), want: `"key"`},
		&contender{name: "rotate", next: once(rotate, "rotate"), want: `"key"`, most: share(rotate)},
		&contender{name: "floor (one Argon2, one Put)", next: anyOf(post("floor/mint", body)), want: `"key"`},
		&contender{name: "revoke", next: once(revoke, "revoke"), want: `"revoked"`, most: share(revoke)},
		&contender{name: "floor (one Put)", next: anyOf(post("floor/put", body)), want: `"key"`})
	const mint, put = 3, 5
	for i := range mint {
		b.out.row(c.cost(i, mint, target{}))
	}
	b.out.row(c.cost(4, put, target{}))
}
