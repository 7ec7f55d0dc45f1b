package e2e

import (
	"errors"
	"maps"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
)

// wantedThat is nil when a condition holds.
func wantedThat(holds bool, otherwise string) error {
	if holds {
		return nil
	}
	return errors.New(otherwise)
}

func TestTheConfigurationHasItsDefaultsAndTakesBackWhatItShows(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	defaults := e.read(t, "config")
	wantShape(t, "config", defaults, configShape)
	wantFields(t, "config", defaults, fields{
		"argon2_memory_kib": 19456, "argon2_iterations": 2, "argon2_parallelism": 1, "revoked_retention": 259200,
		"verify_cache_size": 65536, "allow_key_in_query": false, "default_prefix": "vak",
	})
	wantSame(t, "writing back what was read", e.write(t, "config", maps.Clone(defaults)), defaults)
	changed := e.write(t, "config", fields{"argon2_memory_kib": "12288", "argon2_iterations": 3, "revoked_retention": "24h", "verify_cache_size": 10})
	wantShape(t, "config", changed, configShape)
	wantFields(t, "config", changed, fields{
		"argon2_memory_kib": 12288, "argon2_iterations": 3, "argon2_parallelism": 1, "revoked_retention": 86400, "verify_cache_size": 10,
	})
	for _, body := range []fields{
		{"argon2_iterations": 2}, {"argon2_memory_kib": 7167, "argon2_iterations": 10}, {"argon2_memory_kib": 262145}, {"argon2_iterations": 11},
		{"argon2_parallelism": 5}, {"argon2_parallelism": 0}, {"argon2_parallelism": 257}, {"argon2_memory_kib": 4294979584},
		{"revoked_retention": "-1s"}, {"verify_cache_size": 0}, {"default_prefix": ""}, {"default_prefix": "a-b"}, {"allow_key_in_query": 1},
		{"nonsense": true},
	} {
		e.refused(t, 400, "config", body)
	}
	wantSame(t, "the configuration after refusals", e.read(t, "config"), changed)
}

func TestConfigurationAndTidyNeedSudo(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	everything := `path "` + e.mount + `/*" { capabilities = ["create", "read", "update", "delete", "list"] }`
	tenant := e.as(e.TokenWith(t, everything, nil))
	tenant.ask(t, 403, "GET", "config", nil)
	tenant.ask(t, 403, "POST", "config", fields{})
	tenant.ask(t, 403, "POST", "tidy", fields{})
	tenant.read(t, "tidy-status")
	operator := e.as(e.TokenWith(t, everything+`
path "`+e.path("config")+`" { capabilities = ["read", "sudo"] }`, nil))
	operator.read(t, "config")
}

func TestTidyRemovesWhatHasEndedAndNothingElse(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	never := e.read(t, "tidy-status")
	wantShape(t, "tidy-status", never, tidyShape)
	wantFields(t, "tidy-status", never, fields{"state": "never", "started_at": "", "finished_at": "", "keys_removed": 0, "error": ""})

	e.write(t, "roles/web", fields{"generate_lease": false})
	live, revoked, brief := e.issue(t, "web", fields{"owner": "acme"}), e.issue(t, "web", fields{"owner": "gone"}), e.issue(t, "web", fields{"ttl": 1})
	rotated := e.rotate(t, live.id, fields{"grace_period": 0})
	e.write(t, "revoke/"+revoked.id, nil)
	e.eventuallyCode(t, "expired", brief.text)

	e.tidy(t)
	wantFields(t, "within the retention", e.read(t, "tidy-status"), fields{"keys_removed": 0})
	e.wantCode(t, "revoked", revoked.text)
	e.wantCode(t, "superseded", live.text)

	e.write(t, "config", fields{"revoked_retention": 0})
	e.tidy(t)
	wantFields(t, "without retention", e.read(t, "tidy-status"), fields{"keys_removed": 2, "error": ""})
	for _, k := range []key{revoked, brief} {
		e.wantCode(t, "invalid", k.text)
		e.ask(t, 404, "GET", "keys/"+k.id, nil)
	}
	e.wantCode(t, "invalid", live.text) // its hash is forgotten
	e.wantCode(t, "valid", rotated.text)
	wantFields(t, "keys", e.ask(t, 200, "LIST", "keys", nil).Data(), fields{"keys": []string{live.id}})
	wantFields(t, "owners", e.ask(t, 200, "LIST", "owners", nil).Data(), fields{"keys": []string{"acme"}})
	e.refused(t, 400, "tidy", fields{"force": true}, "force")
}

// tidy runs a tidy to its end.
func (e engine) tidy(t *testing.T) {
	t.Helper()
	started := e.write(t, "tidy", nil)
	wantShape(t, "tidy", started, tidyShape)
	if s := started["state"]; s != "running" && s != "done" {
		t.Errorf("tidy answers the state %v", s)
	}
	harness.Eventually(t, patience, "wait for tidy", func() error {
		s := e.read(t, "tidy-status")
		wantShape(t, "tidy-status", s, tidyShape)
		return wantedThat(s["state"] == "done" && isTime(s["started_at"]) && isTime(s["finished_at"]), "it is not done")
	})
}

func TestInfoNamesVersionBuildAndFormat(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	info := e.read(t, "info")
	wantShape(t, "info", info, infoShape)
	mount := e.Expect(t, 200, "GET", "sys/mounts/"+e.mount, nil).Data()
	wantFields(t, "info", info, fields{"storage_format": 1, "version": mount["running_plugin_version"]})
}
