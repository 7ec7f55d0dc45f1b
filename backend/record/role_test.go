package record_test

import (
	"maps"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
)

func TestWhichRolesContradictThemselves(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change  func(r *record.Role)
		wrote   []string
		refused bool
	}{
		"the default role does not":                  {change: func(*record.Role) {}},
		"a ttl as long as max_ttl does not":          {change: func(r *record.Role) { r.TTL, r.MaxTTL = hour, hour }},
		"a ttl without a max_ttl does not":           {change: func(r *record.Role) { r.TTL = day }},
		"a max_ttl without a ttl does not":           {change: func(r *record.Role) { r.MaxTTL = hour }},
		"a ttl longer than max_ttl does":             {change: func(r *record.Role) { r.TTL, r.MaxTTL = hour+1, hour }, refused: true},
		"a grace as long as the longest does not":    {change: func(r *record.Role) { r.GracePeriod = r.MaxGracePeriod }},
		"a grace longer than the longest does":       {change: func(r *record.Role) { r.GracePeriod = r.MaxGracePeriod + 1 }, refused: true},
		"a longest grace below the grace does":       {change: func(r *record.Role) { r.MaxGracePeriod = 0 }, refused: true},
		"a prefix of the grammar does not":           {change: func(r *record.Role) { r.Prefix = "acme_live" }},
		"a prefix outside the grammar does":          {change: func(r *record.Role) { r.Prefix = "Acme" }, refused: true},
		"defaults within what is allowed do not":     {change: func(r *record.Role) { r.AllowedScopes, r.DefaultScopes = []string{"read:*"}, []string{"read:x"} }, wrote: []string{"default_scopes"}},
		"defaults that leave what is allowed do":     {change: func(r *record.Role) { r.AllowedScopes, r.DefaultScopes = []string{"read:*"}, []string{"write"} }, wrote: []string{"default_scopes"}, refused: true},
		"defaults left behind by a narrowing do not": {change: func(r *record.Role) { r.AllowedScopes, r.DefaultScopes = []string{"read:*"}, []string{"write"} }, wrote: []string{"allowed_scopes"}},
		"both written at once and at odds do":        {change: func(r *record.Role) { r.AllowedScopes, r.DefaultScopes = nil, []string{"write"} }, wrote: []string{"allowed_scopes", "default_scopes"}, refused: true},
		"allowed scopes outside the grammar do":      {change: func(r *record.Role) { r.AllowedScopes = []string{"a*"} }, refused: true},
		"default scopes outside the grammar do":      {change: func(r *record.Role) { r.DefaultScopes = []string{"a:"} }, refused: true},
		"a description of 1025 bytes does":           {change: func(r *record.Role) { r.Description = strings.Repeat("x", 1025) }, refused: true},
		"a description with an escape sequence does": {change: func(r *record.Role) { r.Description = "\x1b[31m" }, refused: true},
		"metadata beyond the grammar do":             {change: func(r *record.Role) { r.Metadata = map[string]string{"k": "\x00"} }, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			role := record.DefaultRole()
			tc.change(&role)
			err := role.Check(func(field string) bool { return strings.Contains(strings.Join(tc.wrote, " "), field) })
			if isMistake(err) != tc.refused || err != nil && !tc.refused {
				t.Errorf("it answered %v", err)
			}
		})
	}
}

func TestWhatVerifyShowsOfMetadata(t *testing.T) {
	t.Parallel()
	type pairs = map[string]string
	for name, tc := range map[string]struct{ role, own, want pairs }{
		"nothing where there is none":       {nil, nil, nil},
		"the key's own":                     {nil, pairs{"a": "1"}, pairs{"a": "1"}},
		"the role's":                        {pairs{"a": "1"}, nil, pairs{"a": "1"}},
		"both, the key's before the role's": {pairs{"a": "role", "b": "role"}, pairs{"b": "key", "c": "key"}, pairs{"a": "role", "b": "key", "c": "key"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			role, own := maps.Clone(tc.role), maps.Clone(tc.own)
			if got := (record.Role{Metadata: role}).MergeMetadata(own); !maps.Equal(got, tc.want) {
				t.Errorf("got %v", got)
			}
			if !maps.Equal(role, tc.role) || !maps.Equal(own, tc.own) {
				t.Error("merging changed what was merged")
			}
		})
	}
}

func TestThePrefixOfARolesKeys(t *testing.T) {
	t.Parallel()
	config := record.Config{DefaultPrefix: "vak"}
	if got := (record.Role{}).EffectivePrefix(config); got != "vak" {
		t.Errorf("a role without one has %q", got)
	}
	if got := (record.Role{Prefix: "acme"}).EffectivePrefix(config); got != "acme" {
		t.Errorf("a role with one has %q", got)
	}
}

func TestWhichConfigurationsAreRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change  func(c *record.Config)
		refused bool
	}{
		"not the default":                 {func(*record.Config) {}, false},
		"not one at the floor":            {func(c *record.Config) { c.Argon2MemoryKiB, c.Argon2Iterations = 7168, 5 }, false},
		"one below the floor":             {func(c *record.Config) { c.Argon2MemoryKiB = 19455 }, true},
		"one above the memory of all":     {func(c *record.Config) { c.Argon2MemoryKiB = 262145 }, true},
		"one with no iterations":          {func(c *record.Config) { c.Argon2Iterations = 0 }, true},
		"one with too many iterations":    {func(c *record.Config) { c.Argon2Iterations = 11 }, true},
		"one with too many lanes":         {func(c *record.Config) { c.Argon2Parallelism = 5 }, true},
		"one without a cache":             {func(c *record.Config) { c.VerifyCacheSize = 0 }, true},
		"not one with a cache of one":     {func(c *record.Config) { c.VerifyCacheSize = 1 }, false},
		"one with too large a cache":      {func(c *record.Config) { c.VerifyCacheSize = record.MaxCacheSize + 1 }, true},
		"one without a prefix":            {func(c *record.Config) { c.DefaultPrefix = "" }, true},
		"one with a prefix of 33 letters": {func(c *record.Config) { c.DefaultPrefix = strings.Repeat("a", 33) }, true},
		"one that never flushes":          {func(c *record.Config) { c.UsageFlushInterval = 0 }, true},
		"not one that flushes hourly":     {func(c *record.Config) { c.UsageFlushInterval = 3600 }, false},
		"one that flushes more rarely":    {func(c *record.Config) { c.UsageFlushInterval = 3601 }, true},
		"not one without a retention":     {func(c *record.Config) { c.RevokedRetention = 0 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := record.DefaultConfig()
			tc.change(&c)
			if err := c.Check(); isMistake(err) != tc.refused || err != nil && !tc.refused {
				t.Errorf("it answered %v", err)
			}
		})
	}
}

func TestTheDefaultsAreTheContracts(t *testing.T) {
	t.Parallel()
	want := record.Config{Argon2MemoryKiB: 19456, Argon2Iterations: 2, Argon2Parallelism: 1, RevokedRetention: 3 * day, UsageFlushInterval: 30, VerifyCacheSize: 65536, DefaultPrefix: "vak", AlertWarningPerHour: 10, AlertCriticalPerHour: 50}
	if got := record.DefaultConfig(); got != want {
		t.Errorf("the configuration is %+v", got)
	}
	if got := want.Argon2(); got != (keyhash.Params{MemoryKiB: 19456, Iterations: 2, Parallelism: 1}) {
		t.Errorf("the cost is %+v", got)
	}
	role := record.DefaultRole()
	if !role.GenerateLease || role.GracePeriod != day || role.MaxGracePeriod != 7*day || role.TTL != 0 || role.Disabled {
		t.Errorf("the role is %+v", role)
	}
}
