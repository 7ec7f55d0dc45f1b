package recipes

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
	"vault-plugin-secrets-apikeys/trials/opener"
)

// TestTerraform walks through the life of the configuration. It is one walk because each command of Terraform takes
// seconds.
func TestTerraform(t *testing.T) {
	t.Parallel()
	s := servers.Server(t)
	e := surface.Engine{Server: s, Mount: "apikeys"}
	partner := opener.X25519(t)
	w := newWorkspace(t, s)
	w.set("partner_recipient", partner.Recipient)
	s.Expect(t, 204, "POST", "sys/mounts/secret", fields{"type": "kv", "options": fields{"version": "2"}})

	w.want(t, 0, "fmt", "-check")
	w.apply(t)
	minted, first := w.keys(t), inKV(t, s)
	issued := e.As(token(t, s, "apikeys-issuer-live")).Issue(t, "web-live", "acme").Text
	gateway := e.As(token(t, s, "apikeys-gateway-live"))
	for key, code := range map[string]string{minted["live"]: "valid", issued: "valid", minted["test"]: "invalid", first: "invalid"} {
		if got := gateway.Write(t, "verify/web-live", fields{"key": key, "scopes": "read:orders"})["code"]; got != code {
			t.Errorf("a key is %v to the gateway, wanted %s", got, code)
		}
	}
	tidy(t, e)
	w.unchanged(t, "an apply, verifications and a tidy")

	w.changesInPlace(t, e, minted)
	sealed := partner.Open(t, w.output(t, "partner").(string))
	hidden := []string{first, inKV(t, s), sealed, rotated(t, e, "billing")}
	for _, text := range hidden {
		e.WantCode(t, "valid", text, fields{"scopes": []string{}})
	}
	e.WantCode(t, "valid", rotated(t, e, "billing"), fields{"scopes": "read:users"})
	w.replacesWhatIsDead(t, e, minted)
	e.WantCode(t, "invalid", sealed)
	sealed = partner.Open(t, w.output(t, "partner").(string))
	e.WantCode(t, "valid", sealed, fields{"scopes": []string{}})
	w.hides(t, append(hidden, sealed))
	w.ends(t, e)
}

// changesInPlace is a change of scopes and limits, the removal of a field, and a rotation.
func (w *workspace) changesInPlace(t *testing.T, e surface.Engine, minted map[string]string) {
	t.Helper()
	w.set("run", "2")
	w.set("quota", "1000")
	w.set("scopes", `["read:orders", "read:users"]`)
	w.edit(t, "roles.tf", "    rate_limit      = 100\n", "")
	w.edit(t, "roles.tf", "    rotation_period = 5184000\n", "    rotation_period = 1\n")
	if applied := w.apply(t); !strings.Contains(applied, "A key is due for rotation.") {
		t.Errorf("keys are due, and nothing tells of it:\n%s", applied)
	}
	for _, key := range minted {
		d := e.WantCode(t, "valid", key, fields{"scopes": "read:users"})
		surface.WantFields(t, "a key that was changed", d, fields{"version": 1, "quota": 1000, "rate_limit": 100})
	}
	rotated(t, e, "app-live")
	w.unchanged(t, "an apply that removed a field, and a rotation")
	if after := w.keys(t); after["live"] != minted["live"] || after["test"] != minted["test"] {
		t.Error("a change in place lost the outputs")
	}
}

// replacesWhatIsDead revokes one key behind Terraform's back, takes the other away, and has the partner's replaced. A
// field that was removed is set back by its default.
func (w *workspace) replacesWhatIsDead(t *testing.T, e surface.Engine, minted map[string]string) {
	t.Helper()
	e.Write(t, "revoke", fields{"key": minted["live"]})
	planned := w.want(t, 2, "plan", "-detailed-exitcode", "-input=false", "-out=saved.tfplan")
	for key, wanted := range map[string]bool{"live": true, "test": false} {
		if strings.Contains(planned, fmt.Sprintf(`vault_generic_endpoint.key[%q] will be created`, key)) != wanted {
			t.Errorf("is the key for %s to be minted: wanted %v in\n%s", key, wanted, planned)
		}
	}
	w.edit(t, "roles.tf", "    test = { prefix = \"acme_test\", scopes = [\"read:*\"] }\n", "")
	w.edit(t, "roles.tf", "    rotation_period = 1\n", "    rotation_period = 1\n    rate_limit      = 0\n")
	w.apply(t, "-replace=vault_generic_endpoint.partner")
	surface.WantFields(t, "a field that was set back", e.Read(t, "roles/web-live"), fields{"rate_limit": 0})
	e.WantCode(t, "invalid", minted["test"])
	e.Want(t, 404, "GET", "roles/web-test", nil)
	live := w.keys(t)["live"]
	if live == minted["live"] {
		t.Error("the key that was revoked is still the output")
	}
	e.WantCode(t, "valid", live, fields{"scopes": "read:users"})
}

// ends destroys all that the configuration made.
func (w *workspace) ends(t *testing.T, e surface.Engine) {
	t.Helper()
	const all = "destroy -auto-approve -input=false"
	if output := w.want(t, 1, strings.Fields(all)...); !strings.Contains(output, "Code: 409") {
		t.Errorf("a role has a key that Terraform does not know, and the refusal is:\n%s", output)
	}
	e.Write(t, "stop/roles/web-live", fields{})
	root := e.MountRoot(t, e.Mount)
	w.want(t, 0, strings.Fields(all)...)
	for _, prefix := range []string{root, "sys/expire/id/apikeys/"} {
		e.WalkRaw(t, prefix, func(path string, _ []byte) { t.Errorf("after destroy there is %s", path) })
	}
	plugin := "sys/plugins/catalog/secret/" + harness.PluginName + "?version=" + w.version
	for _, path := range []string{"sys/mounts/apikeys", "sys/policies/acl/apikeys-issuer-live", plugin} {
		if r := e.API(t, "GET", path, nil); r.Status/100 == 2 {
			t.Errorf("after destroy there is %s", path)
		}
	}
}

// hides wants no text of these keys in the state, its backup and a saved plan, and none of a pipeline's key. The keys
// that are outputs are there.
func (w *workspace) hides(t *testing.T, keys []string) {
	t.Helper()
	of := func(prefix string) *regexp.Regexp { return regexp.MustCompile(prefix + `_\w{16}_\w{63}`) }
	for _, file := range []string{"terraform.tfstate", "terraform.tfstate.backup", "saved.tfplan"} {
		content := w.content(t, file)
		if !of("acme_live").MatchString(content) || of("acme_ci").MatchString(content) {
			t.Errorf("%s should hold the key that is an output, and none of a pipeline", file)
		}
		for _, key := range keys {
			if strings.Contains(content, key[len(key)-63:]) {
				t.Errorf("%s holds a key", file)
			}
		}
	}
}

func token(t *testing.T, s *harness.Server, policy string) string {
	t.Helper()
	r := s.Expect(t, 200, "POST", "auth/token/create", fields{"policies": []string{policy}, "no_default_policy": true})
	return r.JSON["auth"].(map[string]any)["client_token"].(string)
}

// inKV is the key that the pipeline finds in KV.
func inKV(t *testing.T, s *harness.Server) string {
	t.Helper()
	data := s.Expect(t, 200, "GET", "secret/data/pipeline/api-key", nil).Data()["data"].(map[string]any)
	key := data["key"].(string)
	if !regexp.MustCompile(`^acme_ci_\w{16}_\w{63}$`).MatchString(key) {
		t.Fatal("KV holds no key")
	}
	return key
}

// rotated is the next version of a declared key, which its service asks for with the token that it has.
func rotated(t *testing.T, e surface.Engine, name string) string {
	t.Helper()
	return e.Minted(t, "static-keys/"+name+"/rotate", nil).Text
}

func tidy(t *testing.T, e surface.Engine) {
	t.Helper()
	e.Write(t, "tidy", fields{})
	harness.Eventually(t, time.Minute, "wait for tidy", func() error {
		if state := e.Read(t, "tidy-status")["state"]; state != "done" {
			return fmt.Errorf("it is %v", state)
		}
		return nil
	})
}
