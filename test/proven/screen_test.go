package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tallied reads what record keeps of these streams.
func tallied(t *testing.T, names ...string) *tally {
	t.Helper()
	tally := newTally()
	for _, name := range names {
		_, kept := recorded(t, name)
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, kept, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := tally.read(path); err != nil {
			t.Fatal(err)
		}
	}
	return tally
}

func TestTheScreenSaysWhatWasProven(t *testing.T) {
	t.Parallel()
	s := screen{tally: tallied(t, "pass"), took: 75 * time.Second, race: "race detector: on", promises: []promise{
		{"It is good", []string{"backend/good.TestGood"}}, {"It is good and fuzzed", []string{"backend/good.TestGood", "backend/good.FuzzX"}},
	}}
	want := `What was proven (test/README.md has the tests of each line)     tests + subtests
ok       1 + 2     It is good
ok       2 + 3     It is good and fuzzed
3 tests, 3 subtests, 1 packages, 75 s, 1 skipped
race detector: on
2 passed, 0 failed
`
	if got := s.text(); got != want || s.failed() {
		t.Errorf("it is\n%s\nwanted\n%s", got, want)
	}
}

func TestEveryKindOfFailureIsNamedAndCounted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stream, test string // that a promise names
		want         string
	}{
		"a failed test":                 {"fail", "backend/bad.TestFine", "failed: backend/bad.TestBad\n1 passed, 1 failed\n"},
		"a failed test of a promise":    {"fail", "backend/bad.TestBad", "failed: backend/bad.TestBad\n1 passed, 1 failed\n"},
		"a panic":                       {"panic", "backend/panics.TestBefore", "failed: backend/panics.TestPanics\n1 passed, 1 failed\n"},
		"a process that ends":           {"exit", "backend/exits.TestExits", "failed: backend/exits.TestExits\n0 passed, 1 failed\n"},
		"a package that does not build": {"build", "", "package failed: backend/broken\n0 passed, 1 failed\n"},
		"packages that ran no test":     {"none", "", "ran no test: backend/bench, backend/none\n0 passed, 2 failed\n"},
		"a promise whose test was skipped": {"pass", "backend/good.TestSkipped",
			"named by a promise, but skipped: backend/good.TestSkipped\n2 passed, 1 failed\n"},
		"a promise whose test did not run": {"pass", "backend/gone.TestGone",
			"named by a promise, but did not run: backend/gone.TestGone\n2 passed, 1 failed\n"},
	} {
		s := screen{tally: tallied(t, c.stream)}
		if c.test != "" {
			s.promises = []promise{{"P", []string{c.test}}, {"again", []string{c.test}}}
		}
		got := s.text()
		if !s.failed() || !strings.HasSuffix(got, " skipped\n"+c.want) {
			t.Errorf("%s:\n%s\nwanted at its end\n%s", name, got, c.want)
		}
		proven := c.test != "" && s.tally.tests[c.test] == "pass"
		if c.test != "" && strings.Contains(got, "\nok ") != proven || strings.Contains(got, "\nFAILED ") != (c.test != "" && !proven) {
			t.Errorf("%s: the promises are\n%s", name, got)
		}
	}
}

func TestAStreamThatIsCutOffIsAFailure(t *testing.T) {
	t.Parallel()
	_, kept := recorded(t, "pass")
	at := bytes.Index(kept, []byte(`{"Action":"pass","Package":"vault-plugin-secrets-apikeys/backend/good","Test":"FuzzX"`))
	path := filepath.Join(t.TempDir(), "cut")
	if err := os.WriteFile(path, kept[:at], 0o600); err != nil {
		t.Fatal(err)
	}
	s := screen{tally: newTally()}
	if err := s.tally.read(path); err != nil {
		t.Fatal(err)
	}
	if got := s.text(); !s.failed() || !strings.Contains(got, "failed: backend/good.FuzzX\n") {
		t.Errorf("it is\n%s", got)
	}
}

// TestTheScreenOfThisRepositoryFits holds for the table as it is, in the worst case too.
func TestTheScreenOfThisRepositoryFits(t *testing.T) {
	t.Parallel()
	s := screen{promises: told(t), tally: newTally(), took: time.Hour, race: strings.Repeat("r", width)}
	fits := func(text string) {
		t.Helper()
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		for _, line := range lines {
			if len(line) > width {
				t.Errorf("a line has %d columns: %s", len(line), line)
			}
		}
		if len(lines) > height {
			t.Errorf("it has %d lines:\n%s", len(lines), text)
		}
	}
	// None ran: more failures than fit stand before the screen.
	before, last, found := strings.Cut(s.text(), "\n\n")
	if !found || !strings.Contains(last, "stand above the table\n0 passed, ") {
		t.Fatalf("it is\n%s", s.text())
	}
	fits(last)
	for _, p := range s.promises {
		for _, test := range p.tests {
			if !strings.Contains(before, test) {
				t.Errorf("%s did not run, and is not named", test)
			}
			s.tally.tests[test], s.tally.subtests[test] = "pass", 4000
		}
	}
	fits(s.text())
	if s.failed() {
		t.Errorf("all passed, and it is\n%s", s.text())
	}
	for i := range 3 {
		s.tally.tests[fmt.Sprintf("test/somewhere.Test%s%d", strings.Repeat("Long", 15), i)] = "fail"
	}
	fits(s.text()[strings.Index(s.text(), "What was proven"):])
}

func TestTheProgramEndsWithAnErrorIfAnythingFailed(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	table := filepath.Join(directory, "README.md")
	if err := os.WriteFile(table, []byte("| Promise | Of it | Tests |\n| --- | --- | --- |\n| P | x | `backend/good.TestGood` |\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	keep := func(stream string) string {
		in, err := os.Open("testdata/" + stream + ".json")
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		path := filepath.Join(directory, stream)
		if _, err := run([]string{"record", path}, in, &bytes.Buffer{}); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, bad := keep("pass"), keep("fail")
	for name, c := range map[string]struct {
		files           []string
		failed, trouble bool
	}{
		"all good":            {[]string{good}, false, false},
		"one of two failed":   {[]string{good, bad}, true, false},
		"nothing ran":         {nil, true, false},
		"a file is not there": {[]string{good, good + "x"}, false, true},
	} {
		var out bytes.Buffer
		failed, err := run(append([]string{"show", "-took", "7", "-promises", table}, c.files...), nil, &out)
		if failed != c.failed || (err != nil) != c.trouble {
			t.Errorf("%s: failed is %t, %v\n%s", name, failed, err, out.String())
		}
	}
	for _, args := range [][]string{nil, {"record"}, {"show", "-promises", table + "x", good}, {"neither"}} {
		if _, err := run(args, strings.NewReader(""), &bytes.Buffer{}); err == nil {
			t.Errorf("%q is no mistake", args)
		}
	}
}
