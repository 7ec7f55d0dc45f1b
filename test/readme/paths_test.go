package readme

import (
	"maps"
	"regexp"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/surface"
)

// operation is one that the engine has, as its OpenAPI document says.
type operation struct {
	capabilities []string
	parameters   map[string]string // type by name
	answer       map[string]string // likewise
}

// documented are the operations by what a table of the reference calls them, like "GET /apikeys/config".
func documented(t testing.TB, e surface.Engine) map[string]operation {
	t.Helper()
	document := e.Want(t, 200, "GET", "?help=1", nil).JSON["openapi"].(map[string]any)
	schemas := at(document, "components", "schemas")
	operations := map[string]operation{}
	for path, value := range at(document, "paths") {
		item := value.(map[string]any)
		captures := parameters(item)
		for method, what := range item {
			o, isOperation := what.(map[string]any)
			if !isOperation {
				continue
			}
			takes := parameters(o)
			maps.Copy(takes, properties(schemas, at(o, "requestBody")))
			verb := map[string]string{"get": "GET", "post": "POST", "delete": "DELETE"}[method]
			capabilities := map[string][]string{"GET": {"read"}, "POST": {"update"}, "DELETE": {"delete"}}[verb]
			if _, list := takes["list"]; list {
				delete(takes, "list")
				verb, capabilities = "LIST", []string{"list"}
			}
			if item["x-vault-createSupported"] == true && verb == "POST" {
				capabilities = []string{"create", "update"}
			}
			if item["x-vault-sudo"] == true {
				capabilities = append(capabilities, "sudo")
			}
			maps.Copy(takes, captures)
			name := regexp.MustCompile(`\{(\w+)\}`).ReplaceAllString(strings.TrimSuffix(path, "/"), ":$1")
			operations[verb+" /apikeys"+name] = operation{capabilities, takes, properties(schemas, at(o, "responses", "200"))}
		}
	}
	return operations
}

// at is what lies below these names, nil where nothing does.
func at(m map[string]any, names ...string) map[string]any {
	for _, name := range names {
		m, _ = m[name].(map[string]any)
	}
	return m
}

// properties are those of a body: types by name.
func properties(schemas, of map[string]any) map[string]string {
	found := map[string]string{}
	if ref, _ := at(of, "content", "application/json", "schema")["$ref"].(string); ref != "" {
		for name, schema := range at(schemas, ref[strings.LastIndexByte(ref, '/')+1:], "properties") {
			found[name] = kind(schema)
		}
	}
	return found
}

func parameters(of map[string]any) map[string]string {
	found := map[string]string{}
	list, _ := of["parameters"].([]any)
	for _, p := range list {
		found[p.(map[string]any)["name"].(string)] = kind(p.(map[string]any)["schema"])
	}
	return found
}

// kind is what the reference calls a type.
func kind(schema any) string {
	s := schema.(map[string]any)
	if s["format"] == "duration" {
		return "duration"
	}
	name := s["type"].(string)
	short := map[string]string{"integer": "int", "boolean": "bool", "array": "list", "object": "map"}[name]
	if short == "" {
		return name
	}
	return short
}

// described is a parameter as a section lists it.
type described struct{ kind, fallback string }

var (
	bullet = regexp.MustCompile("^- ((?:`[a-z0-9_]+`(?:, )?)+)(?: `\\((\\w+): (.*)\\)`)? – ")
	quoted = regexp.MustCompile("`([a-z0-9_]+)`")
)

func (s *section) parameters() map[string]described {
	found := map[string]described{}
	for _, line := range s.lines {
		if m := bullet.FindStringSubmatch(line); m != nil {
			for _, name := range quoted.FindAllStringSubmatch(m[1], -1) {
				found[name[1]] = described{m[2], m[3]}
			}
		}
	}
	return found
}

func unquoted(cell string) string { return strings.ReplaceAll(cell, "`", "") }

func TestEveryPathAndParameterIsDescribedAndNothingElse(t *testing.T) {
	e := surface.At(t, servers.Server(t), "apikeys")
	operations := documented(t, e)
	sections, _ := document(t)
	told := map[string]bool{}
	for _, s := range families(sections) {
		takes := map[string]string{}
		for _, cells := range s.operations() {
			name := unquoted(cells[0] + " " + cells[1])
			o, found := operations[name]
			if !found {
				t.Errorf("%s: the engine has no %s", s.chapter, name)
			}
			if want := strings.Join(o.capabilities, ", "); unquoted(cells[2]) != want {
				t.Errorf("%s needs %s, the reference says %s", name, want, cells[2])
			}
			told[name] = true
			maps.Copy(takes, o.parameters)
		}
		compareParameters(t, s, takes)
	}
	for name := range operations {
		if !told[name] {
			t.Errorf("the reference does not tell of %s", name)
		}
	}
}

func compareParameters(t *testing.T, s *section, takes map[string]string) {
	t.Helper()
	says := s.parameters()
	for name, kind := range takes {
		d, found := says[name]
		if !found {
			t.Errorf("%s: the reference does not describe %s", s.chapter, name)
		} else if d.kind != "" && d.kind != kind {
			t.Errorf("%s: %s is of type %s, the reference says %s", s.chapter, name, kind, d.kind)
		}
	}
	for name := range says {
		if _, found := takes[name]; !found {
			t.Errorf("%s: no path of the section takes %s", s.chapter, name)
		}
	}
}
