package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// tally is what became of tests and packages: the last action of each.
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
		t.packages[e.directory()] = e.Action
	case sub == "":
		t.tests[name] = e.Action
	case e.Action == "pass":
		t.subtests[name]++
	}
	return nil
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

// failures are all reasons to fail.
func (t *tally) failures(promises []promise) (all []unproven) {
	silent, dead := t.packagesWithoutProof()
	skipped, absent := t.promisedInVain(promises)
	for _, u := range []unproven{
		{"failed", t.failedTests()}, {"package failed", dead}, {"ran no test", silent},
		{"named by a promise, but skipped", skipped}, {"named by a promise, but did not run", absent},
	} {
		if len(u.names) > 0 {
			all = append(all, u)
		}
	}
	return all
}

// failedTests include those that were running when their process ended.
func (t *tally) failedTests() (names []string) {
	for _, test := range slices.Sorted(maps.Keys(t.tests)) {
		if a := t.tests[test]; a == "fail" || a == "run" {
			names = append(names, test)
		}
	}
	return names
}

// packagesWithoutProof are those that passed without a test that did, as when a TestMain gives up, and those that
// failed, or came to no end, without a test that did.
func (t *tally) packagesWithoutProof() (silent, dead []string) {
	for _, directory := range slices.Sorted(maps.Keys(t.packages)) {
		passed, failed := t.within(directory)
		switch a := t.packages[directory]; {
		case a == "pass" && passed == 0:
			silent = append(silent, directory)
		case a != "pass" && a != "skip" && failed == 0:
			dead = append(dead, directory)
		}
	}
	return silent, dead
}

func (t *tally) promisedInVain(promises []promise) (skipped, absent []string) {
	seen := map[string]bool{}
	for _, p := range promises {
		for _, test := range p.tests {
			a, ran := t.tests[test]
			switch {
			case seen[test]:
			case !ran:
				absent = append(absent, test)
			case a == "skip":
				skipped = append(skipped, test)
			}
			seen[test] = true
		}
	}
	return skipped, absent
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
