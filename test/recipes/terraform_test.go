package recipes

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// TestTerraform walks through the life of the configuration. It is one walk because each command of Terraform takes
// seconds.
func TestTerraform(t *testing.T) {
	t.Parallel()
	s := servers.Server(t)
	version, _, _ := strings.Cut(info(t, s), " ")
	w := newWorkspace(t, s, version, s.Install(t, harness.PluginName+"-"+version))
	s.Expect(t, 204, "POST", "sys/mounts/secret", fields{"type": "kv", "options": fields{"version": "2"}})

	w.want(t, 0, "fmt", "-check")
	w.apply(t)
	e := surface.Engine{Server: s, Mount: "apikeys"}
	issued := e.As(token(t, s, "apikeys-issuer-live")).Issue(t, "web-live", "acme")
	gateway := e.As(token(t, s, "apikeys-gateway-live"))
	asGateway(t, gateway, issued.Text, "valid", "read:orders")
	asGateway(t, gateway, inKV(t, s), "invalid", "write:orders")
	tidy(t, e)
	w.unchanged(t, "an apply, verifications and a tidy")

	w.write(t, "terraform.tfvars", "run = 2\n")
	w.edit(t, "roles.tf", "    rate_limit     = 100\n", "")
	before := inKV(t, s)
	w.apply(t)
	w.unchanged(t, "an apply that removed a field")
	surface.WantFields(t, "a removed field", e.Read(t, "roles/web-live"), fields{"rate_limit": 100})
	if inKV(t, s) == before {
		t.Error("another run has the same key")
	}
	e.WantCode(t, "valid", inKV(t, s))
	w.keepsNo(t, before, inKV(t, s))
	w.ends(t, e)
}

// ends destroys all that the configuration made.
func (w *workspace) ends(t *testing.T, e surface.Engine) {
	t.Helper()
	const all = "destroy -auto-approve -input=false"
	if output := w.want(t, 1, strings.Fields(all)...); !strings.Contains(output, "Code: 409") {
		t.Errorf("a role has keys that Terraform does not know, and the refusal is:\n%s", output)
	}
	e.Write(t, "stop/roles/web-live", fields{})
	root := e.MountRoot(t, e.Mount)
	w.want(t, 0, strings.Fields(all)...)
	for _, prefix := range []string{root, "sys/expire/id/apikeys/"} {
		e.WalkRaw(t, prefix, func(path string, _ []byte) { t.Errorf("after destroy there is %s", path) })
	}
	for _, path := range []string{"sys/mounts/apikeys", "sys/policies/acl/apikeys-issuer-live"} {
		if r := e.API(t, "GET", path, nil); r.Status/100 == 2 {
			t.Errorf("after destroy there is %s", path)
		}
	}
}

// keepsNo wants no text of these keys in any file, which are the state, its backup and the configuration.
func (w *workspace) keepsNo(t *testing.T, texts ...string) {
	t.Helper()
	for file, content := range w.files(t) {
		for _, text := range texts {
			if secret := text[len(text)-63:]; strings.Contains(content, secret) {
				t.Errorf("%s holds a key", file)
			}
		}
	}
}

// info is what the built plugin says of itself.
func info(t *testing.T, s *harness.Server) string {
	t.Helper()
	return surface.New(t, s).Read(t, "info")["version"].(string)
}

func token(t *testing.T, s *harness.Server, policy string) string {
	t.Helper()
	r := s.Expect(t, 200, "POST", "auth/token/create", fields{"policies": []string{policy}, "no_default_policy": true})
	return r.JSON["auth"].(map[string]any)["client_token"].(string)
}

// asGateway asks as the gateway of the role web-live does.
func asGateway(t *testing.T, gateway surface.Engine, key, code, scope string) {
	t.Helper()
	if got := gateway.Write(t, "verify/web-live", fields{"key": key, "scopes": scope})["code"]; got != code {
		t.Errorf("a key is %v to the gateway, wanted %s", got, code)
	}
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
