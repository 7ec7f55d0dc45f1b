package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
)

// configRows are the fields of the configuration. What is not sent stays.
var configRows = rows[record.Config]{
	within("argon2_memory_kib", keyhash.MaxMemoryKiB, "Argon2id memory of one hash, in KiB. Default 19456.", func(c *record.Config) *uint32 { return &c.Argon2MemoryKiB }),
	within("argon2_iterations", keyhash.MaxIterations, "Argon2id iterations. Default 2.", func(c *record.Config) *uint32 { return &c.Argon2Iterations }),
	within("argon2_parallelism", keyhash.MaxParallelism, "Argon2id lanes. Default 1.", func(c *record.Config) *uint8 { return &c.Argon2Parallelism }),
	within("verify_cache_size", record.MaxCacheSize, "How many records of the usual size, and as many proofs, are kept in memory. Default 65536.", func(c *record.Config) *int { return &c.VerifyCacheSize }),
	at("revoked_retention", duration, "How long keys that have ended stay readable before tidy removes them; 0 is until the next tidy. Default 72h.", func(c *record.Config) *record.Seconds { return &c.RevokedRetention }),
	at("usage_flush_interval", duration, "How often last-used times reach storage; what a crash may lose. Default 30s.", func(c *record.Config) *record.Seconds { return &c.UsageFlushInterval }),
	at("allow_key_in_query", flag, "Accept a key in the query string of a read of verify. Vault writes query strings into its audit log in clear. Default false.", func(c *record.Config) *bool { return &c.AllowKeyInQuery }),
	within("alert_warning_per_hour", record.MaxAlertPerHour, "More forged keys in an hour, or refusals of one key, raise an alert. Default 10.", func(c *record.Config) *int { return &c.AlertWarningPerHour }),
	within("alert_critical_per_hour", record.MaxAlertPerHour, "More than this make it critical. Default 50.", func(c *record.Config) *int { return &c.AlertCriticalPerHour }),
	at("default_prefix", word, "Prefix of the keys of roles that set none. Default vak.", func(c *record.Config) *string { return &c.DefaultPrefix }),
}

// Configurer changes the configuration.
type Configurer interface {
	UpdateConfig(ctx context.Context, apply func(*record.Config) error) (record.Config, error)
}

// Config is the mount's configuration.
type Config struct {
	Store  Configuration
	Writer Configurer
}

func (c Config) routes() []route {
	declared := configRows.fields()
	return []route{{"config", "Configure the mount.", "Hashing cost, retention and defaults of the whole mount. Needs sudo.", nil, operations{
		logical.ReadOperation:   {summary: "Read the configuration.", answers: declared, handler: c.read},
		logical.UpdateOperation: {summary: "Change the configuration; what is not sent stays.", takes: declared, answers: declared, handler: c.update, writes: true},
	}}}
}

func (c Config) read(ctx context.Context, _ request) (*logical.Response, error) {
	return configRows.answer(c.Store.Config(ctx))
}

func (c Config) update(ctx context.Context, r request) (*logical.Response, error) {
	return configRows.answer(c.Writer.UpdateConfig(ctx, func(to *record.Config) error { return configRows.take(r.in, to) }))
}
