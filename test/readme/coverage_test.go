package readme

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryOperationHasASample finds for each line of the tables of paths a command that asks for it.
func TestEveryOperationHasASample(t *testing.T) {
	sections, blocks := document(t)
	var asked []string
	call := regexp.MustCompile(`vault (write|read|list|delete) [^\n]*?(apikeys/[^ \n)]+)([^\n]*)`)
	for _, b := range blocks {
		for _, m := range call.FindAllStringSubmatch(strings.ReplaceAll(b.text, "\\\n", ""), -1) {
			verb := map[string]string{"write": "POST", "read": "GET", "list": "LIST", "delete": "DELETE"}[m[1]]
			asked = append(asked, verb+" /"+strings.ReplaceAll(m[2], `"`, ""))
		}
	}
	for _, s := range sections {
		for _, cells := range s.operations() {
			name := unquoted(cells[0] + " " + cells[1])
			pattern := regexp.MustCompile("^" + regexp.MustCompile(`:\w+`).ReplaceAllString(name, `[^/]+`) + "$")
			if !slices.ContainsFunc(asked, pattern.MatchString) {
				t.Errorf("no command shows %s", name)
			}
		}
	}
}

// statuses are what verify answers, as the engine's contract says; tests of the engine hold it to them.
var statuses = map[string]string{
	"valid": "200", "invalid": "401", "revoked": "401", "expired": "401", "superseded": "401",
	"disabled": "403", "parent_ended": "401", "ip_denied": "403", "insufficient_scope": "403",
	"rate_limited": "429", "quota_exceeded": "429",
}

func TestTheCodesOfVerifyAreThoseOfTheSource(t *testing.T) {
	states := map[string]string{} // some codes are those of a key's state
	for _, m := range regexp.MustCompile(`(?m)^\t(\w+) +State = "(\w+)"`).FindAllStringSubmatch(read(t, "backend/record/state.go"), -1) {
		states[m[1]] = m[2]
	}
	var inSource, told []string
	for _, m := range regexp.MustCompile(`(?m)^\t[A-Z]\w+ +Code = (?:"(\w+)"|Code\(record\.(\w+)\))$`).FindAllStringSubmatch(read(t, "backend/verify/decision.go"), -1) {
		inSource = append(inSource, m[1]+states[m[2]])
	}
	sections, _ := document(t)
	for _, s := range sections {
		for _, g := range s.grids() {
			if g.head[0] != "code" {
				continue
			}
			for _, cells := range g.rows {
				code := unquoted(cells[0])
				told = append(told, code)
				if cells[1] != statuses[code] {
					t.Errorf("%s is told to be a %s", code, cells[1])
				}
			}
		}
	}
	if len(inSource) == 0 || !slices.Equal(inSource, told) {
		t.Errorf("the source has the codes %v, the reference tells of %v", inSource, told)
	}
}

func TestTheTargetsOfMakeAreThoseTold(t *testing.T) {
	var targets, told []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+): ## `).FindAllStringSubmatch(read(t, "Makefile"), -1) {
		if m[1] != "help" {
			targets = append(targets, m[1])
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `make ([a-z-]+)` \\|").FindAllStringSubmatch(read(t, readme), -1) {
		told = append(told, m[1])
	}
	slices.Sort(targets)
	slices.Sort(told)
	if !slices.Equal(targets, told) {
		t.Errorf("make has the targets %v, the README tells of %v", targets, told)
	}
	for _, file := range files {
		for _, m := range regexp.MustCompile("(?m)(?:^|`)make ([a-z-]+)").FindAllStringSubmatch(read(t, file), -1) {
			if !slices.Contains(targets, m[1]) {
				t.Errorf("%s: there is no make %s", file, m[1])
			}
		}
	}
}

func TestTheBenchmarksToldExist(t *testing.T) {
	var source strings.Builder
	err := filepath.WalkDir(root+"/backend", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			text, err := os.ReadFile(path)
			source.Write(text)
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	told := regexp.MustCompile("`(Benchmark\\w+)").FindAllStringSubmatch(read(t, figures), -1)
	if len(told) == 0 {
		t.Error("no file tells of no benchmark")
	}
	for _, m := range told {
		if !strings.Contains(source.String(), "func "+m[1]+"(b *testing.B)") {
			t.Errorf("there is no %s", m[1])
		}
	}
}
