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
	// Of keys that no other part of the run verifies.
	pool := func(keys []key, door string) [][]byte {
		requests := make([][]byte, len(keys))
		for i, one := range keys {
			requests[i] = post(k.mount+"/"+door+"/"+one.ID, nil)
		}
		return requests
	}
	rotate, revoke := k.cold[:half], k.cold[half:]
	if k.mount == "many" { // whose storm comes next
		tenth := len(k.cold) / 10
		rotate, revoke = k.cold[:tenth], k.cold[tenth:2*tenth]
		k.cold = k.cold[2*tenth:]
	}
	share := func(keys []key) int64 { return int64(max(1, len(keys)/b.plan.rounds)) }
	b.out.section(fmt.Sprintf("Writes, %d keys, one at a time", k.size))
	c := b.contest(1,
		&contender{name: "issue, unleased", next: anyOf(post(k.mount+"/issue/plain", body)), want: `"key"`},
		&contender{name: "issue, leased", next: anyOf(post(k.mount+"/issue/leased", body)), want: `"key"`},
		&contender{name: "rotate", next: eachOf(pool(rotate, "rotate")), want: `"key"`, most: share(rotate)},
		&contender{name: "floor (one Argon2, one Put)", next: anyOf(post("floor/mint", body)), want: `"key"`},
		&contender{name: "revoke", next: eachOf(pool(revoke, "revoke")), want: `"revoked"`, most: share(revoke)},
		&contender{name: "floor (one Put)", next: anyOf(post("floor/put", body)), want: `"key"`})
	const mint, put = 3, 5
	for i := range mint {
		b.out.row(c.cost(i, mint, target{}))
	}
	b.out.row(c.cost(4, put, target{}))
}
