package backend_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "vault-plugin-secrets-apikeys"

// ranks are the packages of the plugin; each imports only those of a lower rank.
var ranks = map[string]int{
	"cmd/vault-plugin-secrets-apikeys": 11,
	"backend":                          10,
	"paths":                            9,
	"backend/question":                 8,
	"backend/lifecycle":                7,
	"backend/spend":                    7,
	"backend/upkeep":                   7,
	"backend/verdict":                  7,
	"backend/edge":                     7,
	"backend/watch":                    7,
	"backend/disclose":                 7,
	"backend/verify":                   6,
	"backend/lineage":                  5,
	"backend/store":                    5,
	"backend/proof":                    4,
	"backend/limit":                    4,
	"backend/usage":                    4,
	"backend/clock":                    4,
	"backend/ends":                     4,
	"backend/idle":                     4,
	"backend/feed":                     5,
	"backend/wire":                     4,
	"backend/strict":                   4,
	"backend/record":                   3,
	"backend/cache":                    3,
	"backend/keyhash":                  2,
	"backend/apikey":                   1,
	"backend/network":                  1,
	"backend/scope":                    1,
	"backend/version":                  0,
	"backend/secret":                   0,
	"backend/seal":                     1,
}

// modules are what the plugin may be built from, besides the standard library.
var modules = []string{
	"filippo.io/age",
	"github.com/hashicorp/vault/sdk",
	"github.com/hashicorp/go-hclog",
	"github.com/hashicorp/go-plugin",
	"github.com/prometheus/client_golang", // metrics, in the form that scrapers read
	"github.com/prometheus/common",        // its encoder
	"golang.org/x/crypto",
	"golang.org/x/sync",
	"golang.org/x/sys",
	"golang.org/x/time",
}

// source is one package as it is written down, without its tests.
type source struct {
	name    string
	doc     bool
	imports map[string]bool
}

// sources are the packages of the plugin's module by directory. They are parsed
// here because the result of a test that runs go list is cached past the change
// that it should catch.
func sources(t *testing.T) map[string]*source {
	t.Helper()
	found := make(map[string]*source)
	for _, top := range []string{"../cmd", "../backend", "../paths"} {
		err := filepath.WalkDir(top, func(file string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() && file != top {
				if _, err := os.Stat(filepath.Join(file, "go.mod")); err == nil {
					return fs.SkipDir // another module
				}
			}
			if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return err
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments)
			if err != nil {
				return err
			}
			dir := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(file)), "../")
			if found[dir] == nil {
				found[dir] = &source{name: parsed.Name.Name, imports: make(map[string]bool)}
			}
			found[dir].add(t, parsed)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func (s *source) add(t *testing.T, file *ast.File) {
	t.Helper()
	s.doc = s.doc || file.Doc != nil
	for _, i := range file.Imports {
		imported, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		s.imports[imported] = true
	}
}

func TestImportsGoDownwardsOnly(t *testing.T) {
	found := sources(t)
	for dir, s := range found {
		rank, known := ranks[dir]
		if !known {
			t.Errorf("%s has no rank: say in this test where it stands", dir)
		}
		for imported := range s.imports {
			below, ours := strings.CutPrefix(imported, module+"/")
			switch standing, known := ranks[below]; {
			case ours && !known:
				t.Errorf("%s imports %s, which is no part of the plugin", dir, below)
			case ours && standing >= rank:
				t.Errorf("%s imports %s, which does not lie below it", dir, below)
			}
		}
	}
	for dir := range ranks {
		if found[dir] == nil {
			t.Errorf("%s has a rank and no code", dir)
		}
	}
}

func TestOnlyTheEdgesKnowVault(t *testing.T) {
	knows := map[string][]string{
		"github.com/hashicorp/vault/sdk/logical":   {"backend", "paths", "backend/store"},
		"github.com/hashicorp/vault/sdk/framework": {"backend", "paths"},
	}
	for dir, s := range sources(t) {
		for sdk, allowed := range knows {
			if s.imports[sdk] && !slices.Contains(allowed, dir) {
				t.Errorf("%s imports %s; only %v may", dir, sdk, allowed)
			}
		}
	}
}

// withoutVault are what a gate is made of, with all that they import: it decides and
// tells as the engine does, and has nothing of Vault's in it.
var withoutVault = []string{"backend/question", "backend/verify", "backend/verdict", "backend/lineage", "backend/limit", "backend/proof", "backend/cache", "backend/wire"}

func TestWhatAGateIsMadeOfReachesNoVault(t *testing.T) {
	found := sources(t)
	for _, part := range withoutVault {
		if found[part] == nil {
			t.Errorf("there is no %s", part)
			continue
		}
		seen := map[string]bool{part: true}
		for queue := []string{part}; len(queue) > 0; queue = queue[1:] {
			for imported := range found[queue[0]].imports {
				if strings.HasPrefix(imported, "github.com/hashicorp/") {
					t.Errorf("%s imports %s", queue[0], imported)
				}
				if below, ours := strings.CutPrefix(imported, module+"/"); ours && !seen[below] {
					seen[below] = true
					queue = append(queue, below)
				}
			}
		}
		if part == "backend/verify" && !seen["backend/record"] {
			t.Error("no import was followed")
		}
	}
}

func TestThePluginIsBuiltFromFewModules(t *testing.T) {
	for dir, s := range sources(t) {
		for imported := range s.imports {
			domain, _, _ := strings.Cut(imported, "/")
			if !strings.Contains(domain, ".") {
				continue // the standard library, or this module
			}
			if !slices.ContainsFunc(modules, func(m string) bool { return imported == m || strings.HasPrefix(imported, m+"/") }) {
				t.Errorf("%s imports %s, of a module that the plugin is not built from", dir, imported)
			}
		}
		for imported := range s.imports {
			if imported == "testing" || strings.HasPrefix(imported, "testing/") || strings.Contains(imported, "testhelpers") {
				t.Errorf("%s links %s into the plugin", dir, imported)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for dir, s := range sources(t) {
		if !s.doc {
			t.Errorf("%s has no package comment", dir)
		}
		if s.name != "main" && s.name != path.Base(dir) {
			t.Errorf("%s is called package %s", dir, s.name)
		}
		switch s.name {
		case "utils", "util", "common", "helpers", "helper", "types", "models", "misc":
			t.Errorf("%s is named after nothing", dir)
		}
	}
}
