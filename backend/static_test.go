package backend_test

import (
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

const app = "static-keys/app"

// staticMount is a mount with roles whose keys may be declared; web gives out leases.
func staticMount(t *testing.T) *mount.Mount {
	m := mount.New(t)
	m.Must("roles/web", map[string]any{"ttl": "20d", "max_ttl": "25d", "allowed_scopes": []string{"read:*"}, "default_scopes": []string{"read:a"}, "rate_limit": 100})
	m.Must("roles/other", map[string]any{"generate_lease": false})
	return m
}

// everything is all that a write of a static key takes, but for whom it is sealed to.
func everything() map[string]any {
	return map[string]any{
		"role": "web", "owner": "acme", "name": "n", "metadata": map[string]any{"a": "b"}, "scopes": []any{"read:b"}, "ttl": 7200,
		"bound_cidrs": []any{"10.0.0.0/8"}, "rate_limit": 10, "rate_limit_period": 1, "quota": 50, "quota_period": 60,
	}
}

// A write answers what a later read shows, so that Terraform sees no drift, and every
// field that was written comes back as it was.
func TestADeclaredKeyReadsAsItWasWritten(t *testing.T) {
	m := staticMount(t)
	wrote := everything()
	first := m.Must(app, wrote)
	if first.Secret != nil || m.Code(first.Str("key")) != "ip_denied" {
		t.Errorf("leased: %t; verify says %s", first.Secret != nil, m.Code(first.Str("key")))
	}
	showsWhatIsRead := func(a mount.Answer, wrote map[string]any) {
		t.Helper()
		said, read := maps.Clone(a.Data), m.Read(app).Data
		delete(said, "key")
		if !reflect.DeepEqual(said, read) {
			t.Errorf("a write answered\n%v\nand a read\n%v", said, read)
		}
		if of := m.Read("keys/" + a.Str("key_id")).Data; !reflect.DeepEqual(of, read) || of["static_name"] != "app" {
			t.Errorf("by its id it reads\n%v\nand by its name\n%v", of, read)
		}
		for name, value := range mount.ThroughJSON(t, wrote) {
			if !reflect.DeepEqual(read[name], value) {
				t.Errorf("%s was written as %v and reads %v", name, value, read[name])
			}
		}
	}
	showsWhatIsRead(first, wrote)
	again := m.Must(app, wrote)
	if showsWhatIsRead(again, wrote); again.Str("key") != "" || again.Str("key_id") != first.Str("key_id") || again.Data["version"] != 1.0 {
		t.Errorf("the same write again minted: %v", again.Data)
	}
	change := map[string]any{"name": "other", "metadata": map[string]any{}, "scopes": []any{}, "bound_cidrs": []any{}, "quota": 5, "ttl": 3600}
	if changed := m.Must(app, change); changed.Str("key_id") != first.Str("key_id") {
		t.Error("a change minted a key")
	} else {
		showsWhatIsRead(changed, change)
	}
	if code := m.Code(first.Str("key")); code != "valid" {
		t.Errorf("changed in place it is %s", code)
	}
	rotated := m.Must(app+"/rotate", nil)
	if rotated.Secret != nil || rotated.Data["version"] != 2.0 || m.Code(rotated.Str("key")) != "valid" {
		t.Errorf("rotated it is version %v", rotated.Data["version"])
	}
	for path, want := range map[string]time.Duration{app: time.Hour} {
		read := m.Read(path).Data
		if made, ends := moment(t, read["versions"].([]any)[0].(map[string]any)["created_at"]), moment(t, read["expires_at"]); ends.Sub(made) != want {
			t.Errorf("a rotation lives for %v, the ttl that was written since is %v", ends.Sub(made), want)
		}
	}
}

func moment(t *testing.T, value any) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, value.(string))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestWhatADeclaredKeyKeepsIsRefusedOtherwise(t *testing.T) {
	m := staticMount(t)
	if a := m.Write(app, map[string]any{"owner": "acme"}); a.Status != http.StatusBadRequest {
		t.Errorf("without a role it answers %d", a.Status)
	}
	k := m.Must(app, map[string]any{"role": "web", "owner": "acme"})
	before := m.Storage.Dump()
	for field, other := range map[string]string{"role": "other", "owner": "umbrella"} {
		data := map[string]any{"name": "changed"}
		data[field] = other
		if a := m.Write(app, data); a.Status != http.StatusConflict {
			t.Errorf("another %s: %d %s", field, a.Status, a.Text)
		}
	}
	for path, data := range map[string]map[string]any{
		app: {"disabled_reason": "why"}, app + "/rotate": {"key": k.Str("key")}, "static-keys/..": {"role": "web"}, "static-keys/-a": {"role": "web"}, "static-keys/" + k.Str("key"): {"role": "web"},
	} {
		if a := m.Write(path, data); a.Status != http.StatusBadRequest {
			t.Errorf("%v: %d %s", data, a.Status, a.Text)
		}
	}
	if a := m.Write(app, map[string]any{"static_name": "other"}); a.Status != http.StatusBadRequest {
		t.Errorf("another name in the data: %d", a.Status)
	}
	if !m.Storage.SameAs(before) {
		t.Error("what was refused left something behind")
	}
}

// What an update of a key changes a declaration does, from its first write on.
func TestADeclaredKeyIsDisabledAndEnabledByItsName(t *testing.T) {
	m := staticMount(t)
	k := m.Must(app, map[string]any{"role": "web", "disabled": true, "disabled_reason": "not yet"})
	for _, tc := range []struct {
		write map[string]any
		code  string
		said  string
	}{
		{nil, "disabled", "not yet"},
		{map[string]any{"disabled": false}, "valid", ""},
		{map[string]any{"disabled": true, "disabled_reason": "for now"}, "disabled", "for now"},
	} {
		a := m.Must(app, tc.write)
		if code := m.Code(k.Str("key")); code != tc.code || a.Str("disabled_reason") != tc.said || a.Data["disabled"] != (tc.code == "disabled") {
			t.Errorf("after %v it is %s: %v", tc.write, code, a.Data)
		}
	}
}

// TestTheEndOfAKeyFreesItsName by whatever way: nobody has to tell the name.
func TestTheEndOfAKeyFreesItsName(t *testing.T) {
	ends := map[string]func(m *mount.Mount, k mount.Answer){
		"revoked": func(m *mount.Mount, k mount.Answer) { m.Must("revoke/"+k.Str("key_id"), nil) },
		"revoked by its holder": func(m *mount.Mount, k mount.Answer) {
			m.Must("revoke", map[string]any{"key": k.Str("key")})
		},
		"deleted":              func(m *mount.Mount, k mount.Answer) { m.Do(logical.DeleteOperation, "keys/"+k.Str("key_id"), nil) },
		"deleted by its name":  func(m *mount.Mount, k mount.Answer) { m.Do(logical.DeleteOperation, app, nil) },
		"its owner is stopped": func(m *mount.Mount, k mount.Answer) { m.Must("stop/owners/acme", nil) },
		"its role is stopped":  func(m *mount.Mount, k mount.Answer) { m.Must("stop/roles/web", nil) },
		"expired":              func(m *mount.Mount, k mount.Answer) { time.Sleep(2 * time.Hour) },
		"idle":                 func(m *mount.Mount, k mount.Answer) { time.Sleep(90 * time.Minute) },
		"its owner's":          func(m *mount.Mount, k mount.Answer) { m.Must("owners/acme/keys/"+k.Str("key_id")+"/revoke", nil) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := staticMount(t)
				if name == "idle" {
					m.Must("roles/web", map[string]any{"idle_timeout": "1h"})
				}
				k := m.Must(app, everything())
				if got := m.Do(logical.ListOperation, "static-keys/", nil).Data["keys"]; !reflect.DeepEqual(got, []any{"app"}) {
					t.Errorf("the names are %v", got)
				}
				end(m, k)
				if a := m.Read(app); a.Status != http.StatusNotFound {
					t.Errorf("a read answers %d", a.Status)
				}
				if says := m.Ask(logical.ListOperation, "static-keys/", nil); strings.Contains(says, "app") {
					t.Errorf("a list answers %s", says)
				}
				for _, what := range []string{"/rotate", "/rollback", "/finish"} {
					if a := m.Write(app+what, nil); a.Status != http.StatusNotFound {
						t.Errorf("%s answers %d", what, a.Status)
					}
				}
				next := m.Must(app, everything())
				if next.Str("key") == "" || next.Str("key_id") == k.Str("key_id") {
					t.Fatalf("the next write answers %v", next.Data)
				}
				if code := m.Code(k.Str("key")); code == "ip_denied" || code == "valid" {
					t.Errorf("the old key is %s", code)
				}
				if name == "idle" { // no longer timeout gives the name two keys
					m.Restart()
					m.Must("roles/web", map[string]any{"idle_timeout": 0})
					if code := m.Code(k.Str("key")); code != "expired" {
						t.Errorf("under a longer timeout the old key is %s", code)
					}
				}
				if a := m.Do(logical.DeleteOperation, app, nil); a.Status != http.StatusNoContent || m.Read(app).Status != http.StatusNotFound {
					t.Errorf("deleted with %d", a.Status)
				}
				if code := m.Code(next.Str("key")); code != "invalid" {
					t.Errorf("deleted it is %s", code)
				}
				m.Tidy()
				if left := m.Storage.Dump()["static/app"]; left != nil {
					t.Errorf("tidy leaves %s", left)
				}
			})
		})
	}
}

// A version that waited is what the name leads to when the one before has expired.
func TestADeclaredKeyLivesOnInTheVersionThatWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := staticMount(t)
		m.Must(app, map[string]any{"role": "web", "ttl": "1h"})
		next := m.Must(app+"/rotate", map[string]any{"activation": "first_use", "ttl": "5h"})
		time.Sleep(2 * time.Hour)
		if a := m.Read(app); a.Data["version"] != 2.0 || a.Str("status") != "active" {
			t.Errorf("it reads %d %v", a.Status, a.Data)
		}
		m.Do(logical.DeleteOperation, app, nil)
		if code := m.Code(next.Str("key")); code != "invalid" {
			t.Errorf("deleted it is %s", code)
		}
	})
}

// Vault asks the policy for create or for update by what it found. What was found is
// what is done, or nothing.
func TestAWriteDoesOnlyWhatThePolicyWasAskedFor(t *testing.T) {
	m := staticMount(t)
	direct := func(op logical.Operation) mount.Answer {
		return m.Do(op, app, everything())
	}
	request := &logical.Request{Operation: logical.UpdateOperation, Path: app, Data: everything(), Storage: m.Storage, ID: "r"}
	if _, err := m.Backend.HandleRequest(t.Context(), request); err == nil || m.Read(app).OK() {
		t.Errorf("who may only change a key minted one: %v", err)
	}
	k := direct(logical.CreateOperation)
	if !k.OK() {
		t.Fatal(k.Text)
	}
	if a := direct(logical.CreateOperation); a.Status != http.StatusConflict {
		t.Errorf("who may only make a key: %d", a.Status)
	}
	if a := m.Read(app); a.Str("key_id") != k.Str("key_id") {
		t.Error("it is another key")
	}
}

// The owner is rendered when the key is minted, whoever changes it later.
func TestAnOwnersTemplateIsRenderedOnce(t *testing.T) {
	m := staticMount(t)
	m.System.Change(func(v *logical.StaticSystemView) { v.EntityVal = &logical.Entity{ID: "e", Name: "ada"} })
	m.Must("roles/templated", map[string]any{"owner_template": "{{identity.entity.name}}"})
	if a := m.Write(app, map[string]any{"role": "templated", "owner": "eve"}); a.Status != http.StatusBadRequest {
		t.Errorf("the owner was chosen: %d", a.Status)
	}
	if k := m.Must(app, map[string]any{"role": "templated"}); k.Str("owner") != "ada" {
		t.Fatalf("its owner is %s", k.Str("owner"))
	}
	m.System.Change(func(v *logical.StaticSystemView) { v.EntityVal = &logical.Entity{ID: "e2", Name: "bob"} })
	if k := m.Must(app, map[string]any{"role": "templated", "owner": "ada", "name": "n"}); k.Str("owner") != "ada" || k.Str("name") != "n" {
		t.Errorf("changed it reads %v", k.Data)
	}
}
