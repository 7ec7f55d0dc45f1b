package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
)

var configFields = fields{
	"argon2_memory_kib":    {kind: count, help: "Argon2id memory of one hash, in KiB. Default 19456."},
	"argon2_iterations":    {kind: count, help: "Argon2id iterations. Default 2."},
	"argon2_parallelism":   {kind: count, help: "Argon2id lanes. Default 1."},
	"revoked_retention":    {kind: duration, help: "How long keys that have ended stay readable before tidy removes them; 0 is until the next tidy. Default 72h."},
	"usage_flush_interval": {kind: duration, help: "How often last-used times reach storage; what a crash may lose. Default 30s."},
	"verify_cache_size":    {kind: count, help: "How many records of the usual size, and as many proofs, are kept in memory. Default 65536."},
	"allow_key_in_query":   {kind: flag, help: "Accept a key in the query string of a read of verify. Vault writes query strings into its audit log in clear. Default false."},
	"default_prefix":       {kind: word, help: "Prefix of the keys of roles that set none. Default vak."},
}

func (sv *Services) configPath() *framework.Path {
	return sv.path("config", "Configure the mount.",
		"Hashing cost, retention and defaults of the whole mount. Needs sudo.",
		nil, map[logical.Operation]operation{
			logical.ReadOperation:   {summary: "Read the configuration.", answers: configFields, handler: sv.readConfig},
			logical.UpdateOperation: {summary: "Change the configuration; what is not sent stays.", takes: configFields, answers: configFields, handler: sv.updateConfig, writes: true},
		})
}

func (sv *Services) readConfig(ctx context.Context, _ request) (*logical.Response, error) {
	c, err := sv.Store.Config(ctx)
	if err != nil {
		return nil, err
	}
	return answer(configAnswer(c)), nil
}

func (sv *Services) updateConfig(ctx context.Context, r request) (*logical.Response, error) {
	c, err := sv.Store.UpdateConfig(ctx, func(c *record.Config) error { return changeConfig(c, r.in) })
	if err != nil {
		return nil, err
	}
	sv.Configured(c)
	return answer(configAnswer(c)), nil
}

func changeConfig(c *record.Config, in input) error {
	// What does not fit must not become valid by a conversion.
	for _, n := range []struct {
		name string
		most int64
		set  func(int64)
	}{
		{"argon2_memory_kib", keyhash.MaxMemoryKiB, func(n int64) { c.Argon2MemoryKiB = uint32(n) }},
		{"argon2_iterations", keyhash.MaxIterations, func(n int64) { c.Argon2Iterations = uint32(n) }},
		{"argon2_parallelism", keyhash.MaxParallelism, func(n int64) { c.Argon2Parallelism = uint8(n) }},
		{"verify_cache_size", record.MaxCacheSize, func(n int64) { c.VerifyCacheSize = int(n) }},
	} {
		if !in.has(n.name) {
			continue
		}
		v, err := in.number(n.name, 1, n.most)
		if err != nil {
			return err
		}
		n.set(v)
	}
	set(in, "revoked_retention", &c.RevokedRetention)
	set(in, "usage_flush_interval", &c.UsageFlushInterval)
	set(in, "allow_key_in_query", &c.AllowKeyInQuery)
	set(in, "default_prefix", &c.DefaultPrefix)
	return c.Check()
}

func configAnswer(c record.Config) map[string]any {
	return map[string]any{
		"argon2_memory_kib":    c.Argon2MemoryKiB,
		"argon2_iterations":    c.Argon2Iterations,
		"argon2_parallelism":   int(c.Argon2Parallelism),
		"revoked_retention":    int64(c.RevokedRetention),
		"usage_flush_interval": int64(c.UsageFlushInterval),
		"verify_cache_size":    c.VerifyCacheSize,
		"allow_key_in_query":   c.AllowKeyInQuery,
		"default_prefix":       c.DefaultPrefix,
	}
}
