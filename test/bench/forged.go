package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
)

// forgeries have a good checksum and a bad tag; half of them carry the id of a
// living key.
func forgeries(t *runner, living []key, n int) []key {
	secret := make([]byte, apikey.TagKeyLength)
	rand.Read(secret)
	tagKey, err := apikey.NewTagKey(secret)
	t.must(err)
	keys := make([]key, n)
	for i := range keys {
		id, err := apikey.NewID(rand.Reader)
		t.must(err)
		if i%2 == 0 {
			id = living[i%len(living)].ID
		}
		forged, err := apikey.Generate(rand.Reader, tagKey, "vak", id, 1)
		t.must(err)
		keys[i] = key{Text: forged.Reveal(), ID: id}
	}
	return keys
}

// forged measures keys that somebody made up.
func (b *bed) forged(k *keyring) {
	keys := forgeries(b.t, k.warm, 1000)
	b.out.section(fmt.Sprintf("Forged keys, %d keys, 8 at once", k.size))
	c := b.contest(8,
		b.verifies("forged key", k.mount+"/verify/plain", keys, nil, `"code":"invalid"`),
		b.verifies("floor, same answer", "floor/verify/invalid", keys, nil, `"code":"invalid"`))
	b.out.row(c.cost(0, 1, target{most: 1.1}))
	runs, one := argon2Runs(b.t, len(keys))
	b.out.note("%d Argon2 runs caused by %d forged keys, %d by one cold key (counted in-process by what was allocated: a run takes %d MiB)",
		runs, len(keys), one, keyhash.DefaultParams().MemoryKiB>>10)
	if runs != 0 {
		b.out.missed = append(b.out.missed, fmt.Sprintf("forged keys caused %d Argon2 runs", runs))
	}
	b.out.note("%s of the plugin's processor time for each forged key", b.cpuOfEach(k, keys))
}

// argon2Runs counts the runs that texts cause, and that one cold key causes,
// by the memory that a mount in this process allocates: a run takes more than
// thousands of refusals. Half of the texts carry the id of the mount's key, which
// only the tag keeps from being hashed.
func argon2Runs(t *runner, n int) (forged, cold uint64) {
	m := newMount(t, new(logical.InmemStorage))
	genuine := m.issue(t)
	count := func(keys []key) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for _, k := range keys {
			m.verify(t, k.Text)
		}
		runtime.ReadMemStats(&after)
		return (after.TotalAlloc - before.TotalAlloc) >> 10 / uint64(keyhash.DefaultParams().MemoryKiB)
	}
	return count(forgeries(t, []key{genuine}, n)), count([]key{genuine})
}

// cpuOfEach is what a forged key costs the plugin's process.
func (b *bed) cpuOfEach(k *keyring, keys []key) time.Duration {
	plugin := b.process()
	before, err := plugin.cpu()
	b.t.must(err)
	b.each(keys, func(l *line, forged *key) error {
		c := contender{name: "forged key", want: `"code":"invalid"`}
		return c.call(l, b.client.request("POST", k.mount+"/verify/plain", map[string]any{"key": forged.Text}))
	})
	after, err := plugin.cpu()
	b.t.must(err)
	return (after - before) / time.Duration(len(keys))
}

var background = context.Background()
