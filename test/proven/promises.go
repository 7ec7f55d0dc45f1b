package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// promise is what rows of the table have in common: the first names it, those below with an empty first cell are more
// of the same.
type promise struct {
	title string
	tests []string // directory and function: test/e2e.TestX
}

var testName = regexp.MustCompile("^`([a-z0-9/-]+\\.(?:Test|Fuzz)[A-Z][A-Za-z0-9]*)`$")

// parsePromises reads the one table of test/README.md: promise, what it says, tests.
func parsePromises(text string) (promises []promise, err error) {
	for i, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| ---") || strings.HasPrefix(line, "| Promise |") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 3 {
			return nil, fmt.Errorf("line %d has %d cells", i+1, len(cells))
		}
		if title := strings.TrimSpace(cells[0]); title != "" {
			promises = append(promises, promise{title: title})
		}
		if len(promises) == 0 {
			return nil, fmt.Errorf("line %d belongs to no promise", i+1)
		}
		p := &promises[len(promises)-1]
		for name := range strings.SplitSeq(cells[2], ",") {
			found := testName.FindStringSubmatch(strings.TrimSpace(name))
			if found == nil {
				return nil, fmt.Errorf("line %d: %q is no test's full name in code marks", i+1, strings.TrimSpace(name))
			}
			p.tests = append(p.tests, found[1])
		}
	}
	if len(promises) == 0 {
		return nil, errors.New("it has no table of promises")
	}
	return promises, nil
}
