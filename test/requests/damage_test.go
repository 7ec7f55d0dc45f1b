package requests

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

func recordPath(k surface.Key) string { return "key/" + k.ID[:2] + "/" + k.ID }

// change replaces one part of a stored text, and fails where there is none.
func change(t *testing.T, text, pattern, with string) string {
	t.Helper()
	changed := regexp.MustCompile(pattern).ReplaceAllLiteralString(text, with)
	if changed == text {
		t.Fatalf("the stored record has no %s", pattern)
	}
	return changed
}

// damages are ways in which a stored key can be wrong, so that no verdict on it is possible.
var damages = map[string]func(t *testing.T, record string) string{
	"nothing":           func(*testing.T, string) string { return "" },
	"no JSON":           func(_ *testing.T, r string) string { return r[:len(r)/2] },
	"zeros":             func(_ *testing.T, r string) string { return strings.Repeat("\x00", len(r)) },
	"another type":      func(*testing.T, string) string { return `[1]` },
	"null":              func(*testing.T, string) string { return `null` },
	"an empty object":   func(*testing.T, string) string { return `{}` },
	"no record":         func(*testing.T, string) string { return `{"v":1}` },
	"a later format":    func(t *testing.T, r string) string { return change(t, r, `"v":1`, `"v":2`) },
	"no format":         func(t *testing.T, r string) string { return change(t, r, `"v":1,`, ``) },
	"no versions":       func(t *testing.T, r string) string { return change(t, r, `"versions":\[.*\]`, `"versions":[]`) },
	"null versions":     func(t *testing.T, r string) string { return change(t, r, `"versions":\[.*\]`, `"versions":null`) },
	"null networks":     func(t *testing.T, r string) string { return change(t, r, `"bound_cidrs":\[\]`, `"bound_cidrs":null`) },
	"4 GiB of memory":   func(t *testing.T, r string) string { return change(t, r, `m=\d+`, `m=4194304`) },
	"memory overflow":   func(t *testing.T, r string) string { return change(t, r, `m=\d+`, `m=4294986752`) },
	"no iterations":     func(t *testing.T, r string) string { return change(t, r, `t=\d+`, `t=0`) },
	"many iterations":   func(t *testing.T, r string) string { return change(t, r, `t=\d+`, `t=100000`) },
	"no lanes":          func(t *testing.T, r string) string { return change(t, r, `p=\d+`, `p=0`) },
	"many lanes":        func(t *testing.T, r string) string { return change(t, r, `p=\d+`, `p=255`) },
	"another algorithm": func(t *testing.T, r string) string { return change(t, r, `\$argon2id`, `$argon2i`) },
	"a short hash":      func(t *testing.T, r string) string { return change(t, r, `\$[^$"]{43}"`, `$AAAA"`) },
	"no hash function":  func(t *testing.T, r string) string { return change(t, r, `"hash":"[^"]*"`, `"hash":"plain"`) },
}

func TestADamagedRecordIsAnErrorOfItsKeyAlone(t *testing.T) {
	e := mounted(t)
	whole := e.Issue(t, "web", "acme")
	keys := map[string]surface.Key{}
	for what := range damages {
		keys[what] = e.Issue(t, "web", "acme")
	}
	stored := e.Stored(t)
	for what, damage := range damages {
		path := recordPath(keys[what])
		e.WriteMount(t, e.Mount, path, []byte(damage(t, stored[path])))
	}
	e.Reload(t)
	e.WantCode(t, "valid", whole.Text)
	pids := e.PluginPIDs(t)
	logged := len(e.Log())
	for what, k := range keys {
		for _, path := range []string{"verify", "verify/web", "rotate", "revoke"} {
			wantRefused(t, e, 500, path, fields{"key": k.Text}, "internal error")
		}
		if r := e.Ask(t, http.MethodGet, "keys/"+k.ID, nil); r.Status != 200 && (r.Status != 500 || !strings.Contains(r.Errors(), "internal error")) {
			t.Errorf("a read of a key with %s: %d: %s", what, r.Status, shown(r))
		}
		e.WantCode(t, "valid", whole.Text)
	}
	wantSameProcess(t, e, pids)
	if log := e.Log()[logged:]; strings.Contains(log, "$argon2") || strings.Contains(log, "panic") {
		t.Error("the log shows a hash or a panic")
	}
	for what := range damages {
		path := recordPath(keys[what])
		e.WriteMount(t, e.Mount, path, []byte(stored[path]))
	}
	e.Reload(t)
	for what, k := range keys {
		if code := e.Code(t, k.Text); code != "valid" {
			t.Errorf("after %s was restored, the key is %v", what, code)
		}
	}
}

func TestADamagedRoleIsAnErrorAndNoVerdict(t *testing.T) {
	e := mounted(t)
	k, other := e.Issue(t, "web", "acme"), e.Issue(t, "admin", "acme")
	stored := e.Stored(t)
	for _, damaged := range []string{`{`, `{"v":2,"record":{}}`, `null`} {
		e.WriteMount(t, e.Mount, "role/web", []byte(damaged))
		e.Reload(t)
		for path, body := range map[string]fields{"verify": {"key": k.Text}, "verify/web": {"key": k.Text}, "rotate": {"key": k.Text}, "issue/web": {}, "roles/web": {"disabled": true}} {
			wantRefused(t, e, 500, path, body, "internal error")
		}
		e.WantCode(t, "valid", other.Text)
	}
	e.WriteMount(t, e.Mount, "role/web", []byte(stored["role/web"]))
	e.Reload(t)
	e.WantCode(t, "valid", k.Text)
}

func TestAMissingTagKeyIsTroubleAndIsNeverMadeAnew(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	stored := e.Stored(t)
	for _, damage := range []string{"", `{"v":1,"record":{"secret":""}}`, `{"v":1,"record":{"secret":"AAAA"}}`, `{"v":2}`, `x`} {
		if damage == "" {
			e.DeleteMount(t, e.Mount, "tag-key")
		} else {
			e.WriteMount(t, e.Mount, "tag-key", []byte(damage))
		}
		e.Reload(t)
		wantTrouble(t, e, k)
		if damage == "" {
			e.KillPlugin(t)
			wantTrouble(t, e, k)
		}
		if now := e.Stored(t)["tag-key"]; now != damage {
			t.Fatal("a tag key was made anew")
		}
		e.WriteMount(t, e.Mount, "tag-key", []byte(stored["tag-key"]))
		harness.Eventually(t, patience, "wait for the restored tag key", func() error { return valid(t, e, k) })
		e.WantStored(t, stored)
	}
	if fresh := e.Issue(t, "web", "acme"); e.Code(t, fresh.Text) != "valid" {
		t.Error("a key issued after the tag key was restored does not verify")
	}
}

// wantTrouble asks what needs the tag key, and what does not.
func wantTrouble(t *testing.T, e surface.Engine, k surface.Key) {
	t.Helper()
	for path, body := range map[string]fields{
		"verify": {"key": k.Text}, "verify/web": {"key": k.Text}, "rotate": {"key": k.Text}, "revoke": {"key": k.Text}, "rotate/" + k.ID: {}, "issue/web": {}, "issue": {"role": "web"},
	} {
		wantRefused(t, e, 500, path, body, "internal error")
	}
	e.Want(t, 500, "GET", "verify", nil, "X-API-Key: "+k.Text)
	e.Want(t, 200, "GET", "keys/"+k.ID, nil)
	e.Want(t, 200, "GET", "config", nil)
}
