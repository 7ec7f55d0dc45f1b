package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const repository = "../.."

func told(t *testing.T) []promise {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	promises, err := parsePromises(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return promises
}

// TestEveryTestThatIsNamedExists keeps the table from naming tests that were renamed or removed.
func TestEveryTestThatIsNamedExists(t *testing.T) {
	functions := map[string]map[string]bool{} // by directory
	for _, p := range told(t) {
		for _, name := range p.tests {
			directory, function, _ := strings.Cut(name, ".")
			if functions[directory] == nil {
				functions[directory] = testsIn(t, directory)
			}
			if !functions[directory][function] {
				t.Errorf("%s: there is no %s", p.title, name)
			}
		}
	}
}

func testsIn(t *testing.T, directory string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(path.Join(repository, directory, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	functions := map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				functions[f.Name.Name] = true
			}
		}
	}
	return functions
}

func TestTheTableIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	const head = "# T\n\ntext | text\n\n| Promise | Of it | Tests |\n| --- | --- | --- |\n"
	got, err := parsePromises(head + "| One | a | `backend.TestA`, `test/e2e.TestB` |\n|  | b | `backend.FuzzC` |\n| Two | c | `paths.TestD` |\n")
	if err != nil || len(got) != 2 || got[0].title != "One" || strings.Join(got[0].tests, " ") != "backend.TestA test/e2e.TestB backend.FuzzC" ||
		got[1].title != "Two" || strings.Join(got[1].tests, " ") != "paths.TestD" {
		t.Errorf("it is read as %+v, %v", got, err)
	}
	for what, text := range map[string]string{
		"no table":              "# T\n",
		"no promise above":      head + "|  | a | `backend.TestA` |\n",
		"two cells":             head + "| One | `backend.TestA` |\n",
		"no test":               head + "| One | a |  |\n",
		"a name without marks":  head + "| One | a | backend.TestA |\n",
		"a name without folder": head + "| One | a | `TestA` |\n",
		"a helper":              head + "| One | a | `backend.newMount` |\n",
		"a comma too many":      head + "| One | a | `backend.TestA`, |\n",
	} {
		if got, err := parsePromises(text); err == nil {
			t.Errorf("%s is read as %+v", what, got)
		}
	}
}
