package access

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/surface"
)

// TestTheSurfaceIsWhatTheEngineSaysOfItself keeps a new path from being forgotten by the tests that walk all of them.
func TestTheSurfaceIsWhatTheEngineSaysOfItself(t *testing.T) {
	e := mounted(t)
	document, _ := e.Want(t, 200, "GET", "?help=1", nil).JSON["openapi"].(map[string]any)
	paths, _ := document["paths"].(map[string]any)
	var said []string
	for path, value := range paths {
		for method, operation := range value.(map[string]any) {
			switch method {
			case "get", "post", "delete", "patch", "put", "head":
				said = append(said, nameOf(path, method, operation))
			}
		}
	}
	var walked []string
	for _, op := range surface.Operations() {
		line := strings.NewReplacer("{new_role}", "{role}", "{new_static}", "{static_name}").Replace(op.Path) + " " + op.Verb
		if line = strings.Replace(line, " create", " update", 1); !slices.Contains(walked, line) {
			walked = append(walked, line)
		}
	}
	slices.Sort(said)
	slices.Sort(walked)
	if !slices.Equal(said, walked) {
		t.Errorf("the engine says that it has\n%s\nand the tests walk\n%s", strings.Join(said, "\n"), strings.Join(walked, "\n"))
	}
}

// nameOf is an operation of the document as the surface names it. A list is a get with list=true.
func nameOf(path, method string, operation any) string {
	verb := map[string]string{"get": "read", "post": "update"}[method]
	if verb == "" {
		verb = method
	}
	parameters, _ := operation.(map[string]any)["parameters"].([]any)
	for _, p := range parameters {
		if parameter, _ := p.(map[string]any); parameter["name"] == "list" {
			verb = "list"
		}
	}
	return strings.Trim(path, "/") + " " + verb
}

// strange are requests that no operation answers to, besides the methods that do on other paths.
func strange() []surface.Method {
	return append(surface.Methods(),
		surface.Method{Name: http.MethodHead, Verb: "head"},
		surface.Method{Name: http.MethodOptions, Verb: "options"},
		surface.Method{Name: "RECOVER", Verb: "recover"},
		surface.Method{Name: http.MethodPost, Verb: "recover", Headers: []string{"X-Vault-Recover-Snapshot-Id: 1"}},
		surface.Method{Name: "PROPFIND", Verb: "none"},
	)
}

func TestWhatIsNotDocumentedIsRefusedAndChangesNothing(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	before := e.Stored(t)
	for _, path := range surface.Paths() {
		for _, m := range strange() {
			if _, documented := surface.Find(path, m); documented {
				continue
			}
			op := surface.Operation{Path: path, Body: fields{"key": k.Text, "role": k.Role, "owner": k.Owner}}
			for _, slash := range []string{"", "/"} {
				op.Path = path + slash
				wantRefused(t, e, m, op, k)
			}
		}
		e.WantStored(t, before)
	}
	e.WantCode(t, "valid", k.Text)
}

func TestATrailingSlashIsNotThePathItself(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	before := e.Stored(t)
	for _, op := range surface.Operations() {
		for _, m := range surface.Methods() {
			if op.Verb == "list" || !m.Does(op) {
				continue
			}
			slashed := op
			slashed.Path += "/"
			wantRefused(t, e, m, slashed, k)
		}
	}
	e.WantStored(t, before)
}

func wantRefused(t *testing.T, e surface.Engine, m surface.Method, op surface.Operation, k surface.Key) {
	t.Helper()
	r := e.Try(t, m, op, k, nil)
	if r.Status < 400 || r.Status > 499 {
		t.Errorf("%s %s%s %v: %d, wanted a refusal: %s", m.Name, op.Path, m.Query, m.Headers, r.Status, r.Raw)
	}
}
