package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// tally is what became of tests and packages: the last action of each, where a failure stays one.
type tally struct {
	tests    map[string]string // by directory and function
	packages map[string]string // by directory
	subtests map[string]int    // how many passed, by their test
}

func newTally() *tally {
	return &tally{map[string]string{}, map[string]string{}, map[string]int{}}
}

func (t *tally) read(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return eachEvent(file, t.add, func(line []byte) error { return fmt.Errorf("%s: a line is no event of a test", path) })
}

func (t *tally) add(e event) error {
	top, sub, _ := strings.Cut(e.Test, "/")
	switch name := e.directory() + "." + top; {
	case !slices.Contains([]string{"start", "run", "pass", "fail", "skip"}, e.Action):
	case e.Test == "":
		keep(t.packages, e.directory(), e.Action)
	case sub == "":
		keep(t.tests, name, e.Action)
	case e.Action == "pass":
		t.subtests[name]++
	}
	return nil
}

func keep(states map[string]string, name, action string) {
	if states[name] != "fail" {
		states[name] = action
	}
}

func (t *tally) proves(test string) bool { return t.tests[test] == "pass" }

func (t *tally) count(action string) (n int) {
	for _, a := range t.tests {
		if a == action {
			n++
		}
	}
	return n
}

func (t *tally) allSubtests() (n int) {
	for _, passed := range t.subtests {
		n += passed
	}
	return n
}

// tested are the packages that have test files.
func (t *tally) tested() (n int) {
	for _, a := range t.packages {
		if a != "skip" {
			n++
		}
	}
	return n
}

// unproven are failures of one kind, of tests or packages.
type unproven struct {
	kind  string
	names []string
}

// failures are all reasons to fail, each name under the first kind that fits. What was running when its process ended
// has failed, and so has a package that ended without a verdict. That a package with test files ran none, or skipped
// all, is no success: it may be that its TestMain gave up.
func (t *tally) failures(promises []promise) []unproven {
	kinds := []unproven{{kind: "failed"}, {kind: "package failed"}, {kind: "ran no test"}, {kind: "named by a promise, but skipped"}, {kind: "named by a promise, but did not run"}}
	put := func(kind int, name string) { kinds[kind].names = append(kinds[kind].names, name) }
	for _, test := range slices.Sorted(maps.Keys(t.tests)) {
		if a := t.tests[test]; a == "fail" || a == "run" {
			put(0, test)
		}
	}
	for _, directory := range slices.Sorted(maps.Keys(t.packages)) {
		passed, failed := t.within(directory)
		switch a := t.packages[directory]; {
		case a != "pass" && a != "skip" && failed == 0:
			put(1, directory)
		case a == "pass" && passed == 0:
			put(2, directory)
		}
	}
	seen := map[string]bool{}
	for _, p := range promises {
		for _, test := range p.tests {
			a, ran := t.tests[test]
			switch {
			case seen[test]:
			case !ran:
				put(4, test)
			case a == "skip":
				put(3, test)
			}
			seen[test] = true
		}
	}
	return slices.DeleteFunc(kinds, func(u unproven) bool { return len(u.names) == 0 })
}

// within counts the tests of one package.
func (t *tally) within(directory string) (passed, failed int) {
	for test, a := range t.tests {
		if of, _, _ := strings.Cut(test, "."); of != directory {
			continue
		}
		switch a {
		case "pass":
			passed++
		case "fail", "run":
			failed++
		}
	}
	return passed, failed
}
