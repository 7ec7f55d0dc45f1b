package gate

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// started is a mount that passes everything on, and a gate of the role web beside it.
func started(t *testing.T, config string) (surface.Engine, *harness.Gate) {
	t.Helper()
	s := servers.Server(t)
	s.Mount(t, "apikeys", harness.Mount{
		RequestHeaders:  []string{"X-API-Key", "X-Required-Scopes", "X-Client-Ip"},
		ResponseHeaders: []string{"X-Apikey-Code", "X-Apikey-Id", "X-Apikey-Owner", "X-Apikey-Scopes", "X-Apikey-Scopes-Omitted", "Retry-After", "Deprecation", "Sunset"},
	})
	t.Cleanup(func() { s.Unmount(t, "apikeys") })
	e := surface.Roles(t, surface.Engine{Server: s, Mount: "apikeys"})
	g := harness.StartGate(t, s, harness.GateOptions{
		Mount: "apikeys", Token: gateToken(t, e), Config: "roles = [\"web\"]\nstale_grace = \"0s\"\n" + config,
	})
	return e, g
}

// gateToken is one of the policy that the README shows.
func gateToken(t *testing.T, e surface.Engine) string {
	t.Helper()
	policy, err := os.ReadFile("../recipes/policies/gate.hcl")
	if err != nil {
		t.Fatal(err)
	}
	return e.TokenWith(t, string(policy), nil)
}

// says waits for a word in the gate's log.
func says(t *testing.T, g *harness.Gate, word string) {
	t.Helper()
	harness.Eventually(t, 15*time.Second, word, func() error {
		if !strings.Contains(g.Log(), word) {
			return fmt.Errorf("it is not in\n%s", g.Log())
		}
		return nil
	})
}

// asked is a request to the engine or to a gate; the path stands below the mount.
type asked struct {
	method, path string
	body         any
	headers      []string
}

// questions are what both answer in the same way, about one key.
func questions(key string) map[string]asked {
	in := "X-API-Key: " + key
	return map[string]asked{
		"verify":                           {"POST", "verify/web", fields{"key": key}, nil},
		"verify for scopes":                {"POST", "verify", fields{"key": key, "scopes": []string{"read:orders"}, "client_ip": "::1", "cost": 0}, nil},
		"verify for too many":              {"POST", "verify/web", fields{"key": key, "scopes": "admin,b"}, nil},
		"verify what is no key":            {"POST", "verify/web", fields{"key": "x"}, nil},
		"verify nothing":                   {"POST", "verify/web", "{}", nil},
		"verify in brief":                  {"PUT", "verify/web", fields{"key": key, "brief": true}, nil},
		"verify a batch":                   {"POST", "verify/web", fields{"batch_input": []any{fields{"key": key}, fields{"key": "x"}, fields{}, 7, fields{"key": key, "foo": 1}, fields{"key": key, "client_ip": "x"}}}, nil},
		"verify a batch of none":           {"POST", "verify/web", fields{"batch_input": []any{}}, nil},
		"verify a batch beside others":     {"POST", "verify/web", fields{"batch_input": []any{fields{"key": "x"}}, "key": "x"}, nil},
		"verify by a header":               {"GET", "verify/web", nil, []string{in}},
		"verify by a header, for scopes":   {"GET", "verify/web?scopes=admin&brief=true", nil, []string{in}},
		"verify with a cost twice":         {"GET", "verify/web?cost=1&cost=2", nil, []string{in}},
		"verify with an address of none":   {"POST", "verify/web", fields{"key": key, "client_ip": ""}, nil},
		"verify with scopes of none":       {"POST", "verify/web", fields{"key": key, "scopes": " , "}, nil},
		"verify by a form":                 {"POST", "verify/web", "key=" + key + "&scopes=read:orders", []string{"Content-Type: application/x-www-form-urlencoded"}},
		"verify as curl -d does":           {"POST", "verify/web", `{"key":"` + key + `"}`, []string{"Content-Type: application/x-www-form-urlencoded"}},
		"verify with half a cost":          {"POST", "verify/web", fields{"key": key, "cost": 1.5}, nil},
		"verify a number":                  {"POST", "verify/web", fields{"key": 7}, nil},
		"verify of an unknown role":        {"POST", "verify/other", fields{"key": key}, nil},
		"verify by another method":         {"DELETE", "verify/web", nil, nil},
		"authorize":                        {"GET", "authorize/web", nil, []string{in}},
		"authorize nothing":                {"GET", "authorize/web", nil, nil},
		"authorize two":                    {"GET", "authorize/web", nil, []string{in, in}},
		"authorize for scopes":             {"GET", "authorize/web", nil, []string{in, "X-Required-Scopes: read:orders", "X-Client-Ip: 10.0.0.1"}},
		"authorize for too many":           {"GET", "authorize/web", nil, []string{in, "X-Required-Scopes: admin"}},
		"authorize from nowhere":           {"GET", "authorize/web", nil, []string{in, "X-Client-Ip: x"}},
		"authorize with scopes in a query": {"GET", "authorize/web?scopes=a", nil, []string{in}},
		"authorize with a cost":            {"GET", "authorize/web?cost=0", nil, []string{in}},
		"authorize by a body":              {"POST", "authorize/web", fields{"key": key, "scopes": []string{"read:orders"}}, nil},
		"authorize by both":                {"POST", "authorize/web", fields{"key": key}, []string{in}},
		"authorize by an empty body":       {"POST", "authorize/web", "", []string{in}},
		"authorize with an empty key":      {"POST", "authorize/web", fields{"key": ""}, nil},
		"authorize with two roles":         {"POST", "authorize/web", fields{"key": key, "role": "batch"}, nil},
		"authorize to be wrapped":          {"GET", "authorize/web", nil, []string{in, "X-Vault-Wrap-TTL: 60"}},
		"authorize of an unknown role":     {"GET", "authorize/other", nil, []string{in}},
	}
}

// TestMovingFromVaultToAGateIsAChangeOfAddress asks both the same, and holds status,
// body and headers against each other byte for byte.
func TestMovingFromVaultToAGateIsAChangeOfAddress(t *testing.T) {
	e, g := started(t, "")
	g.Ready(t)
	for name, of := range questions(e.Issue(t, "web", "acme").Text) {
		vault := shown(e.API(t, of.method, "apikeys/"+of.path, of.body, of.headers...))
		if gate := shown(g.Ask(t, of.method, "/v1/apikeys/"+of.path, of.body, of.headers...)); gate != vault {
			t.Errorf("%s: a gate answers\n%s, and Vault\n%s", name, gate, vault)
		}
	}
}

var requestID = regexp.MustCompile(`"request_id":"[0-9a-f-]{36}"`)

// shown is all of an answer but what differs by its nature.
func shown(r harness.Response) string {
	header := http.Header{}
	for name, values := range r.Header {
		switch name {
		case "Date", "Content-Length", "Strict-Transport-Security", "X-Apikey-Role": // the last is the gate's own
		default:
			header[name] = values
		}
	}
	return fmt.Sprint(r.Status, header, requestID.ReplaceAllString(string(r.Raw), ""))
}

// TestAGateKeepsNoKey looks for a key's text wherever a gate writes, and for a way into
// its memory.
func TestAGateKeepsNoKey(t *testing.T) {
	e, g := started(t, "decision_log = \"/dev/stderr\"\n")
	g.Ready(t)
	key := e.Issue(t, "web", "acme").Text
	for _, text := range []string{key, key + "x"} {
		g.Ask(t, "GET", "/forward/web", nil, "X-API-Key: "+text)
		g.Ask(t, "GET", "/v1/apikeys/verify/web?key="+text, nil)
		g.Ask(t, "GET", "/v1/apikeys/authorize/web", nil, "X-API-Key: a", "X-Required-Scopes: "+text, "X-Client-Ip: "+text)
		g.Ask(t, "POST", "/v1/apikeys/authorize/web", fields{"key": text, text: 1})
		g.Ask(t, "GET", "/"+text, nil)
		g.Ask(t, "GET", "/ext-authz/web/"+text, nil, "X-API-Key: "+text, "X-Client-Ip: "+text)
	}
	metrics, err := http.Get("http://" + g.Telemetry + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer metrics.Body.Close()
	secret := key[len(key)-40:]
	if figures, err := io.ReadAll(metrics.Body); err != nil || strings.Contains(string(figures), secret) || !strings.Contains(string(figures), "apikeys_gate_decisions_total") {
		t.Errorf("its figures are %s, %v", figures, err)
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", g.PID()))
	if err != nil || !regexp.MustCompile(`Max core file size +0 +0 `).Match(limits) {
		t.Errorf("its limits are %s, %v", limits, err)
	}
	if err := g.Stop(t); err != nil {
		t.Errorf("it ends with %v", err)
	}
	if log := g.Log(); !strings.Contains(log, `"code":"valid"`) || strings.Contains(log, secret) {
		t.Errorf("its log is\n%s", log)
	}
}

func TestAGateIsConfiguredAnewAndEndsInOrder(t *testing.T) {
	_, g := started(t, "")
	g.Ready(t)
	config, err := os.ReadFile(filepath.Join(g.Dir, "gate.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	reload := func(more, word string) {
		t.Helper()
		g.Write(t, "gate.hcl", string(config)+more)
		if err := syscall.Kill(g.PID(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		says(t, g, word)
	}
	reload("foo = 1\n", "there is no setting foo here")
	reload("key_headers = [\"Authorization: Bearer\"]\n", "the configuration was read again")
	if got := g.Ask(t, "GET", "/forward/web", nil).Header.Get("Www-Authenticate"); got != `Bearer realm="apikeys"` {
		t.Errorf("it asks for %q", got)
	}
	begun := time.Now()
	if err := g.Stop(t); err != nil || time.Since(begun) > 10*time.Second {
		t.Errorf("after %v it ends with %v", time.Since(begun), err)
	}
	if _, err := os.Stat(filepath.Join(g.Dir, "gate.sock")); err == nil {
		t.Error("its socket is left")
	}
}
