package main

import (
	"fmt"
	"strings"
	"time"
)

// The screen that this is to fit on.
const height, width = 24, 100

type screen struct {
	promises []promise
	tally    *tally
	took     time.Duration
	race     string
}

func (s screen) failed() bool { return len(s.tally.failures(s.promises)) > 0 }

// text is a line for each promise, the totals, and at last what failed. Where that is more than the screen holds, all of
// it stands before.
func (s screen) text() string {
	lines := []string{"What was proven (test/README.md has the tests of each line)     tests + subtests"}
	for _, p := range s.promises {
		lines = append(lines, s.row(p))
	}
	lines = append(lines, fmt.Sprintf("%d tests, %d subtests, %d packages, %d s, %d skipped",
		len(s.tally.tests), s.tally.allSubtests(), s.tally.tested(), int(s.took.Seconds()), s.tally.count("skip")))
	if s.race != "" {
		lines = append(lines, s.race)
	}
	failures, n := s.tally.failures(s.promises), 0
	var named []string
	for _, u := range failures {
		n += len(u.names)
		named = append(named, wrap(u.kind+": ", u.names)...)
	}
	var before []string
	if room := max(1, height-len(lines)-1); len(named) > room {
		before = append(named, "")
		named = append(named[:room-1:room-1], "... all of these stand above the table")
	}
	lines = append(append(lines, named...), fmt.Sprintf("%d passed, %d failed", s.tally.count("pass"), n))
	return strings.Join(append(before, lines...), "\n") + "\n"
}

func (s screen) row(p promise) string {
	verdict, passed, subtests := "ok", 0, 0
	for _, test := range p.tests {
		if s.tally.proves(test) {
			passed++
			subtests += s.tally.subtests[test]
		} else {
			verdict = "FAILED"
		}
	}
	return fmt.Sprintf("%-6s %3d + %-5d %s", verdict, passed, subtests, p.title)
}

// wrap sets names into lines of the screen's width.
func wrap(begin string, names []string) (lines []string) {
	line := begin
	for i, name := range names {
		if i < len(names)-1 {
			name += ","
		}
		if len(line)+len(name) > width {
			lines, line = append(lines, strings.TrimRight(line, " ")), "  "
		}
		line += name + " "
	}
	return append(lines, strings.TrimRight(line, " "))
}
