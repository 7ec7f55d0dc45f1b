package e2e

import (
	"errors"
	"maps"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
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
	defaults := e.Read(t, "config")
	wantShape(t, "config", defaults, configShape)
	surface.WantFields(t, "config", defaults, fields{
		"argon2_memory_kib": 19456, "argon2_iterations": 2, "argon2_parallelism": 1, "revoked_retention": 259200,
		"verify_cache_size": 65536, "allow_key_in_query": false, "default_prefix": "vak",
	})
	wantSame(t, "writing back what was read", e.Write(t, "config", maps.Clone(defaults)), defaults)
	changed := e.Write(t, "config", fields{"argon2_memory_kib": "12288", "argon2_iterations": 3, "revoked_retention": "24h", "verify_cache_size": 10})
	wantShape(t, "config", changed, configShape)
	surface.WantFields(t, "config", changed, fields{
		"argon2_memory_kib": 12288, "argon2_iterations": 3, "argon2_parallelism": 1, "revoked_retention": 86400, "verify_cache_size": 10,
	})
	for _, body := range []fields{
		{"argon2_iterations": 2}, {"argon2_memory_kib": 7167, "argon2_iterations": 10}, {"argon2_memory_kib": 262145}, {"argon2_iterations": 11},
		{"argon2_parallelism": 5}, {"argon2_parallelism": 0}, {"argon2_parallelism": 257}, {"argon2_memory_kib": 4294979584},
		{"revoked_retention": "-1s"}, {"verify_cache_size": 0}, {"default_prefix": ""}, {"default_prefix": "a-b"}, {"allow_key_in_query": 1},
		{"nonsense": true},
	} {
		e.Refused(t, 400, "config", body)
	}
	wantSame(t, "the configuration after refusals", e.Read(t, "config"), changed)
}

func TestConfigurationAndTidyNeedSudo(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	everything := `path "` + e.Mount + `/*" { capabilities = ["create", "read", "update", "delete", "list"] }`
	tenant := e.as(e.TokenWith(t, everything, nil))
	tenant.Want(t, 403, "GET", "config", nil)
	tenant.Want(t, 403, "POST", "config", fields{})
	tenant.Want(t, 403, "POST", "tidy", fields{})
	tenant.Read(t, "tidy-status")
	operator := e.as(e.TokenWith(t, everything+`
path "`+e.path("config")+`" { capabilities = ["read", "sudo"] }`, nil))
	operator.Read(t, "config")
}

func TestTidyRemovesWhatHasEndedAndNothingElse(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	never := e.Read(t, "tidy-status")
	wantShape(t, "tidy-status", never, tidyShape)
	surface.WantFields(t, "tidy-status", never, fields{"state": "never", "started_at": "", "finished_at": "", "keys_removed": 0, "error": ""})

	e.Write(t, "roles/web", fields{"generate_lease": false})
	live, revoked, brief := e.issue(t, "web", fields{"owner": "acme"}), e.issue(t, "web", fields{"owner": "gone"}), e.issue(t, "web", fields{"ttl": 1})
	rotated := e.rotate(t, live.ID, fields{"grace_period": 0})
	e.Write(t, "revoke/"+revoked.ID, nil)
	e.eventuallyCode(t, "expired", brief.Text)

	e.tidy(t)
	surface.WantFields(t, "within the retention", e.Read(t, "tidy-status"), fields{"keys_removed": 0})
	e.WantCode(t, "revoked", revoked.Text)
	e.WantCode(t, "superseded", live.Text)

	e.Write(t, "config", fields{"revoked_retention": 0})
	e.tidy(t)
	surface.WantFields(t, "without retention", e.Read(t, "tidy-status"), fields{"keys_removed": 2, "error": ""})
	for _, k := range []key{revoked, brief} {
		e.WantCode(t, "invalid", k.Text)
		e.Want(t, 404, "GET", "keys/"+k.ID, nil)
	}
	e.WantCode(t, "invalid", live.Text) // its hash is forgotten
	e.WantCode(t, "valid", rotated.Text)
	surface.WantFields(t, "keys", e.Want(t, 200, "LIST", "keys", nil).Data(), fields{"keys": []string{live.ID}})
	surface.WantFields(t, "owners", e.Want(t, 200, "LIST", "owners", nil).Data(), fields{"keys": []string{"acme"}})
	e.Refused(t, 400, "tidy", fields{"force": true}, "force")
}

// tidy runs a tidy to its end.
func (e engine) tidy(t *testing.T) {
	t.Helper()
	started := e.Write(t, "tidy", nil)
	wantShape(t, "tidy", started, tidyShape)
	if s := started["state"]; s != "running" && s != "done" {
		t.Errorf("tidy answers the state %v", s)
	}
	harness.Eventually(t, patience, "wait for tidy", func() error {
		s := e.Read(t, "tidy-status")
		wantShape(t, "tidy-status", s, tidyShape)
		return wantedThat(s["state"] == "done" && isTime(s["started_at"]) && isTime(s["finished_at"]), "it is not done")
	})
}

func TestInfoNamesVersionBuildAndFormat(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	info := e.Read(t, "info")
	wantShape(t, "info", info, infoShape)
	mount := e.Expect(t, 200, "GET", "sys/mounts/"+e.Mount, nil).Data()
	surface.WantFields(t, "info", info, fields{"storage_format": 1, "version": mount["running_plugin_version"]})
}
