package backend_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend"
	"vault-plugin-secrets-apikeys/trials/mount"
	"vault-plugin-secrets-apikeys/trials/opener"
)

// sealedMount is a mount with a role web, unleased, a role svc, leased, and one who
// opens what is sealed.
type sealedMount struct {
	*mount.Mount
	who opener.Opener
}

func newSealedMount(t *testing.T) *sealedMount {
	m := mount.New(t)
	for role, leased := range map[string]bool{"web": false, "svc": true} {
		m.Must("roles/"+role, map[string]any{"generate_lease": leased, "max_delegation_depth": 1})
	}
	return &sealedMount{m, opener.X25519(t)}
}

// opened is the key of an answer that must have it sealed, and nowhere in clear.
func (m *sealedMount) opened(a mount.Answer) string {
	m.T.Helper()
	if !a.OK() {
		m.T.Fatalf("%d %s", a.Status, a.Text)
	}
	_, inClear := a.Data["key"]
	text := m.who.Open(m.T, a.Str("sealed_key"))
	m.Secrets.Add(text) // which no log and no entry may show
	whole, err := json.Marshal([]any{a.Data, a.Warnings, a.Secret})
	if err != nil {
		m.T.Fatal(err)
	}
	m.Secrets.MustNotAppear(m.T, "an answer", string(whole))
	if inClear || m.Code(text) != "valid" {
		m.T.Errorf("in clear: %t, and what is sealed is %s", inClear, m.Code(text))
	}
	return text
}

// sealedKey is a new key of acme that is sealed, and its text.
func (m *sealedMount) sealedKey(role string) (id, text string) {
	m.T.Helper()
	a := m.Must("issue/"+role, map[string]any{"owner": "acme", "recipients": []string{m.who.Recipient}})
	return a.Str("key_id"), m.opened(a)
}

// TestEveryPathThatAnswersAKeyAnswersASealedOneSealed asks every path that declares to
// answer a key for a new version of a sealed one, unleased and leased, and once more as
// Vault does after a crash. It names nobody where there is somebody to fall back to.
func TestEveryPathThatAnswersAKeyAnswersASealedOneSealed(t *testing.T) {
	m := newSealedMount(t)
	asks := map[string]func(role, id, text string) (string, map[string]any){
		"issue": func(role, _, _ string) (string, map[string]any) {
			return "issue", map[string]any{"role": role, "recipients": m.who.Recipient}
		},
		"issue/web": func(role, _, _ string) (string, map[string]any) {
			return "issue/" + role, map[string]any{"recipients": []string{m.who.Recipient}}
		},
		"delegate": func(_, _, text string) (string, map[string]any) {
			return "delegate", map[string]any{"key": text, "recipients": m.who.Recipient}
		},
		"rotate":    func(_, _, text string) (string, map[string]any) { return "rotate", map[string]any{"key": text} },
		"rotate/id": func(_, id, _ string) (string, map[string]any) { return "rotate/" + id, nil },
		"static-keys/app": func(role, id, _ string) (string, map[string]any) {
			return "static-keys/" + id, map[string]any{"role": role, "recipients": m.who.Recipient}
		},
		"static-keys/app/rotate": func(role, id, _ string) (string, map[string]any) {
			m.opened(m.Must("static-keys/"+id, map[string]any{"role": role, "recipients": m.who.Recipient}))
			return "static-keys/" + id + "/rotate", nil
		},
		"owners/acme/keys/id/rotate": func(_, id, _ string) (string, map[string]any) { return "owners/acme/keys/" + id + "/rotate", nil },
	}
	walked := map[string]bool{}
	for path, ask := range asks {
		walked[m.Route(path).Pattern] = true
		for _, role := range []string{"web", "svc"} {
			id, text := m.sealedKey(role)
			path, data := ask(role, id, text)
			m.Request = "5c1f3f0e-0f3c-8a54-2b0e-" + role + id[:9]
			first := m.Must(path, data)
			m.Restart()
			again := m.Must(path, data)
			m.Request = ""
			if first.Str("key_id") != again.Str("key_id") || first.Data["version"] != again.Data["version"] {
				t.Errorf("%s run again makes version %v", path, again.Data["version"])
			}
			if leased := again.Secret != nil; leased != (role == "svc" && path != "delegate" && !strings.HasPrefix(path, "static-keys/")) {
				t.Errorf("%s of role %s: leased is %t", path, role, leased)
			}
			if text := m.who.Open(t, first.Str("sealed_key")); m.Code(text) != "invalid" {
				t.Errorf("%s: what nobody has seen is %s", path, m.Code(text))
			}
			m.opened(again)
			if got, _ := again.Data["recipients"].([]any); len(got) != 1 || got[0] != m.who.Recipient {
				t.Errorf("%s answers recipients %v", path, got)
			}
		}
	}
	for _, p := range backend.PathsOf(m.Backend) {
		for op, o := range p.Operations {
			fields := o.Properties().Responses[http.StatusOK]
			if len(fields) == 0 {
				continue
			}
			_, clear := fields[0].Fields["key"]
			_, sealed := fields[0].Fields["sealed_key"]
			if strings.Contains(p.Pattern, "honeytokens/") {
				continue // made in clear, to be planted
			}
			if clear != sealed || clear && !walked[p.Pattern] {
				t.Errorf("%s %s: declares key=%t, sealed_key=%t and was walked: %t", op, p.Pattern, clear, sealed, walked[p.Pattern])
			}
		}
	}
}

// What names nobody, an empty list or somebody else is decided by who asks.
func TestWhoMayNameRecipients(t *testing.T) {
	m := newSealedMount(t)
	other := opener.X25519(t)
	for path, others := range map[string]bool{"rotate": true, "rotate/ID": true, "owners/acme/keys/ID/rotate": false, "keys/ID": true, "owners/acme/keys/ID": false} {
		for name, named := range map[string][]string{"the same": {m.who.Recipient}, "another": {other.Recipient}, "one more": {m.who.Recipient, other.Recipient}, "none": {}} {
			id, text := m.sealedKey("web")
			data := map[string]any{"recipients": named}
			if path == "rotate" {
				data["key"] = text
			}
			a := m.Write(strings.Replace(path, "ID", id, 1), data)
			if may := name == "the same" || name != "none" && others; a.OK() != may || !may && a.Status != http.StatusBadRequest {
				t.Errorf("%s of a sealed key with %s: %d %s", path, name, a.Status, a.Text)
				continue
			}
			read := m.Read("keys/" + id)
			if got, _ := json.Marshal(read.Data["recipients"]); a.OK() && string(got) != marshalled(t, named) || !a.OK() && string(got) != marshalled(t, []string{m.who.Recipient}) {
				t.Errorf("%s with %s: reads show %.40s", path, name, got)
			}
			if !a.OK() {
				continue
			}
			if next := m.Must("rotate/"+id, nil).Str("sealed_key"); m.who.Opens(next) != (name != "another") || other.Opens(next) != (name != "the same") {
				t.Errorf("%s with %s: the next rotation is sealed to others", path, name)
			}
		}
	}
	clear := m.Must("issue/web", map[string]any{"owner": "acme"}).Str("key_id")
	for _, path := range []string{"owners/acme/keys/" + clear + "/rotate", "owners/acme/keys/" + clear} {
		if a := m.Write(path, map[string]any{"recipients": m.who.Recipient}); a.Status != http.StatusBadRequest {
			t.Errorf("%s of a key in clear: %d", path, a.Status)
		}
		m.Must(path, map[string]any{"recipients": []string{}})
	}
}

// A rollback brings back whom the former version was sealed to, and no key in clear.
func TestARollbackBringsBackTheFormerRecipients(t *testing.T) {
	m := newSealedMount(t)
	other := opener.X25519(t)
	for _, activation := range []string{"immediate", "first_use"} {
		to := func(who opener.Opener) map[string]any {
			return map[string]any{"recipients": who.Recipient, "activation": activation}
		}
		id, _ := m.sealedKey("web")
		if lost := m.Must("rotate/"+id, to(other)); !other.Opens(lost.Str("sealed_key")) {
			t.Error("it is not sealed to who was named")
		}
		if activation == "first_use" {
			if again := m.Must("rotate/"+id, map[string]any{"activation": activation}); !m.who.Opens(again.Str("sealed_key")) {
				t.Error("under a version that waits the next is not sealed to the current one's recipients")
			}
		}
		if a := m.Must("rotate/"+id+"/rollback", nil); marshalled(t, a.Data["recipients"]) != marshalled(t, []string{m.who.Recipient}) {
			t.Errorf("%s: rolled back it is sealed to %v", activation, a.Data["recipients"])
		}
		m.opened(m.Must("rotate/"+id, nil))

		clear := m.Must("issue/web", nil).Str("key_id")
		m.Must("rotate/"+clear, to(m.who))
		m.Must("rotate/"+clear+"/rollback", nil)
		if a := m.Write("rotate/"+clear, nil); a.Status != http.StatusBadRequest || !strings.Contains(a.Text, "in clear again") {
			t.Errorf("%s: after a rollback to a version in clear: %d %s", activation, a.Status, a.Text)
		}
		m.opened(m.Must("rotate/"+clear, to(m.who)))
	}
}

func marshalled(t *testing.T, value any) string {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestARoleSaysWhomItsKeysMayBeSealedTo(t *testing.T) {
	m := newSealedMount(t)
	other := opener.X25519(t)
	clear := m.Must("issue/web", nil)
	sealed, text := m.sealedKey("web")
	m.Must("roles/web", map[string]any{"require_recipients": true, "allowed_recipients": []string{other.Recipient}})
	for path, data := range map[string]map[string]any{
		"issue/web":                     nil,
		"issue":                         {"role": "web", "recipients": []string{}},
		"rotate/" + clear.Str("key_id"): nil,
		"delegate":                      {"key": text},
		"keys/" + clear.Str("key_id"):   {"recipients": []string{}},
	} {
		if a := m.Write(path, data); a.Status != http.StatusBadRequest || !strings.Contains(a.Text, "requires recipients") {
			t.Errorf("%s: %d %s", path, a.Status, a.Text)
		}
	}
	for path, data := range map[string]map[string]any{
		"issue/web":        {"recipients": []string{m.who.Recipient, other.Recipient}},
		"rotate/" + sealed: nil,
		"rotate":           {"key": text},
		"delegate":         {"key": text, "recipients": m.who.Recipient},
		"keys/" + sealed:   {"recipients": m.who.Recipient},
	} {
		if a := m.Write(path, data); a.Status != http.StatusBadRequest || !strings.Contains(a.Text, m.who.Recipient) || strings.Contains(a.Text, other.Recipient) {
			t.Errorf("%s: %d %s", path, a.Status, a.Text)
		}
	}
	if !other.Opens(m.Must("rotate/"+sealed, map[string]any{"recipients": other.Recipient}).Str("sealed_key")) {
		t.Error("who is allowed cannot open it")
	}
	m.Must("roles/web", map[string]any{"require_recipients": false, "allowed_recipients": []string{}})
	id, text := m.sealedKey("web")
	if child := m.Must("delegate", map[string]any{"key": text}); child.Str("key") == "" || child.Str("parent_key_id") != id {
		t.Error("a child of a sealed key is sealed though nobody said so")
	}
}

// What is no recipient may be anything, and is not shown: see also the fuzzed requests.
func TestWhatIsNoRecipientIsRefusedAndNotEchoed(t *testing.T) {
	m := newSealedMount(t)
	id, text := m.sealedKey("web")
	identity := "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
	before := m.Storage.Dump()
	for _, bad := range []any{text, identity, []any{m.who.Recipient, text}, []any{[]any{text}}, map[string]any{text: text}, 7, "", []string{""}, m.who.Recipient + "," + m.who.Recipient, "age1" + text} {
		for _, path := range []string{"issue/web", "issue", "rotate", "rotate/" + id, "owners/acme/keys/" + id + "/rotate", "delegate", "keys/" + id, "roles/web"} {
			data := map[string]any{"recipients": bad}
			switch path {
			case "issue":
				data["role"] = "web"
			case "rotate", "delegate":
				data["key"] = text
			case "roles/web":
				data = map[string]any{"allowed_recipients": bad}
			}
			if a := m.Write(path, data); a.Status != http.StatusBadRequest || strings.Contains(a.Text, "AGE-SECRET") || a.Text == "" {
				t.Errorf("%s with %v: %d %s", path, bad, a.Status, a.Text)
			}
		}
	}
	if !m.Storage.SameAs(before) {
		t.Error("what was refused left something behind")
	}
}

// A lease holds the answer until its first renewal.
func TestALeaseHoldsTheSealedFormOnly(t *testing.T) {
	m := newSealedMount(t)
	a := m.Must("issue/svc", map[string]any{"recipients": m.who.Recipient})
	text := m.opened(a)
	m.Registered(a)
	renewed := m.Renew(a.Secret, 0)
	whole := marshalled(t, []any{a.Secret, renewed.Data, renewed.Secret})
	if m.Secrets.MustNotAppear(t, "a lease", whole); !renewed.OK() || m.Code(text) != "valid" {
		t.Errorf("renewed with %d %s", renewed.Status, renewed.Text)
	}
	if a := m.Do(logical.ReadOperation, "keys/"+a.Str("key_id"), nil); a.Data["sealed_key"] != nil {
		t.Error("a read shows the sealed form again")
	}
}
