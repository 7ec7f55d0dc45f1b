package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// recorded passes a recorded stream through record, and is what it prints and keeps.
func recorded(t *testing.T, name string) (printed string, kept []byte) {
	t.Helper()
	in, err := os.Open("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var out, file bytes.Buffer
	if err := record(in, &out, &file); err != nil {
		t.Fatal(err)
	}
	return out.String(), file.Bytes()
}

func TestWhatIsPrintedIsWhatGoTestPrints(t *testing.T) {
	t.Parallel()
	const in = "vault-plugin-secrets-apikeys/backend/"
	for name, want := range map[string]string{
		"pass": "?   \t" + in + "empty\t[no test files]\nok  \t" + in + "good\t0.004s\n",
		"none": "ok  \t" + in + "bench\t0.006s [no tests to run]\nok  \t" + in + "none\t0.003s\n",
		"fail": `--- FAIL: TestBad (0.00s)
    a_test.go:3: log of parent
    a_test.go:3: parent too
--- FAIL: TestBad/wrong (0.00s)
printed
    a_test.go:3: it is wrong
        second line
FAIL
FAIL	` + in + `bad	0.013s
`,
		"panic": `--- FAIL: TestPanics (0.00s)
panic: at the disco [recovered, repanicked]

goroutine 23 [running]:
--- FAIL: TestPanics/deep (0.00s)
FAIL	` + in + `panics	0.008s
`,
		"build": `# ` + in + `broken [` + in + `broken.test]
broken/a_test.go:3:28: undefined: undefined
FAIL	` + in + `broken [build failed]
`,
		"exit": "--- NOT FINISHED: TestExits\nFAIL\t" + in + "exits\t0.006s\n",
	} {
		if got, _ := recorded(t, name); got != want {
			t.Errorf("%s is printed as\n%s\nwanted\n%s", name, got, want)
		}
	}
}

func TestPackagesThatRunAtOnceAreNotMixed(t *testing.T) {
	t.Parallel()
	var streams [2][]string
	size, text := 0, ""
	for i, name := range []string{"fail", "panic"} {
		raw, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		streams[i] = strings.SplitAfter(string(raw), "\n")
	}
	for len(streams[0])+len(streams[1]) > 0 { // line by line, by turns
		for i, lines := range streams {
			if len(lines) > 0 {
				text += lines[0]
				streams[i] = lines[1:]
			}
		}
	}
	var out, file bytes.Buffer
	if err := record(strings.NewReader(text), &out, &file); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fail", "panic"} {
		alone, _ := recorded(t, name)
		if size += len(alone); !strings.Contains(out.String(), alone) {
			t.Errorf("%s is not printed as it is alone:\n%s", name, out.String())
		}
	}
	if out.Len() != size {
		t.Errorf("more is printed than each alone:\n%s", out.String())
	}
}

func TestWhatIsNoEventIsPrintedAsItIs(t *testing.T) {
	t.Parallel()
	const text = "go: downloading x v1.0.0\n{not json\n{\"a\":1}\nlast line without an end"
	var out, file bytes.Buffer
	if err := record(strings.NewReader(text), &out, &file); err != nil || out.String() != text || file.Len() > 0 {
		t.Errorf("it printed %q and kept %q, %v", out.String(), file.String(), err)
	}
}
