package record

import (
	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
)

// Format is the version of the stored form that this code writes, and the only
// one that it reads.
const Format = 1

// Config is the mount's configuration.
type Config struct {
	Argon2MemoryKiB    uint32  `json:"argon2_memory_kib"`
	Argon2Iterations   uint32  `json:"argon2_iterations"`
	Argon2Parallelism  uint8   `json:"argon2_parallelism"`
	RevokedRetention   Seconds `json:"revoked_retention"`    // how long an ended key stays readable
	UsageFlushInterval Seconds `json:"usage_flush_interval"` // how often last-used times reach storage
	VerifyCacheSize    int     `json:"verify_cache_size"`    // records, and as many proofs, kept in memory
	AllowKeyInQuery    bool    `json:"allow_key_in_query"`
	DefaultPrefix      string  `json:"default_prefix"`
	// Above so many in an hour forged keys, or refusals of one key, raise an alert.
	AlertWarningPerHour  int `json:"alert_warning_per_hour"`
	AlertCriticalPerHour int `json:"alert_critical_per_hour"`
}

// Argon2 is the hashing cost of keys that are minted now.
func (c Config) Argon2() keyhash.Params {
	return keyhash.Params{
		MemoryKiB:   c.Argon2MemoryKiB,
		Iterations:  c.Argon2Iterations,
		Parallelism: c.Argon2Parallelism,
	}
}

// MaxCacheSize bounds verify_cache_size. At about 1.6 KiB for a record, its proof
// and its last use it is 14 GiB, or 24 of the heaviest: more than any node should
// give.
const MaxCacheSize = 10_000_000

// MaxFlushInterval is an hour: what a crash may lose.
const MaxFlushInterval Seconds = 3600

// MaxAlertPerHour bounds what alerts are raised by: nobody who wants none must ask for
// more.
const MaxAlertPerHour = 1_000_000

// DefaultConfig is what holds until an operator writes another.
func DefaultConfig() Config {
	cost := keyhash.DefaultParams()
	return Config{
		Argon2MemoryKiB:    cost.MemoryKiB,
		Argon2Iterations:   cost.Iterations,
		Argon2Parallelism:  cost.Parallelism,
		RevokedRetention:   72 * 3600,
		UsageFlushInterval: 30,
		VerifyCacheSize:    65536,
		DefaultPrefix:      "vak",

		AlertWarningPerHour:  10,
		AlertCriticalPerHour: 50,
	}
}

// Intact tells whether c has the parts that every stored configuration has.
func (c Config) Intact() bool {
	return c.Argon2MemoryKiB > 0 && c.VerifyCacheSize > 0 && c.AlertWarningPerHour > 0
}

// Check refuses a configuration that the engine cannot or should not run with.
func (c Config) Check() error {
	if err := c.Argon2().Validate(); err != nil {
		return Mistake(err.Error())
	}
	if c.VerifyCacheSize < 1 || c.VerifyCacheSize > MaxCacheSize {
		return Mistakef("verify_cache_size must be between 1 and %d", MaxCacheSize)
	}
	if c.UsageFlushInterval < 1 || c.UsageFlushInterval > MaxFlushInterval {
		return Mistakef("usage_flush_interval must be between 1 second and %d seconds", MaxFlushInterval)
	}
	if c.AlertWarningPerHour < 1 || c.AlertCriticalPerHour > MaxAlertPerHour || c.AlertWarningPerHour > c.AlertCriticalPerHour {
		return Mistakef("alert_warning_per_hour must be at least 1, alert_critical_per_hour no less than that and at most %d", MaxAlertPerHour)
	}
	return CheckPrefix("default_prefix", c.DefaultPrefix)
}

// CheckPrefix refuses a prefix outside the key grammar.
func CheckPrefix(field, prefix string) error {
	if !apikey.ValidPrefix(prefix) {
		return Mistakef("%s must be words of lower-case letters and digits joined by '_', begin with a letter, and have at most %d characters", field, apikey.MaxPrefixLength)
	}
	return nil
}
