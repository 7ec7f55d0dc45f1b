package main

import (
	"io"
	"slices"
	"strings"
)

// recorder prints the output of tests as `go test` does without -json: of a package that passed its last line, of one
// that failed all that its failed tests said.
type recorder struct {
	out, kept io.Writer
	running   map[string]*transcript // by package
}

// transcript is what a package has said so far.
type transcript struct {
	tests map[string]*said
	order []*said // as they began
	own   []string
}

// said is the output of one test. Without a verdict it was running when the process ended.
type said struct {
	test, verdict string
	lines         []string
}

func record(in io.Reader, out, kept io.Writer) error {
	r := &recorder{out, kept, map[string]*transcript{}}
	return eachEvent(in, r.take, func(line []byte) error {
		_, err := out.Write(line)
		return err
	})
}

func (r *recorder) take(e event) error {
	switch e.Action {
	case "output":
		p := r.of(e.Package)
		if e.Test == "" {
			p.own = append(p.own, e.Output)
		} else if s := p.of(e.Test); !strings.HasPrefix(e.Output, "=== ") {
			s.lines = append(s.lines, e.Output)
		}
		return nil
	case "build-output":
		_, err := io.WriteString(r.out, e.Output)
		return err
	case "pass", "fail", "skip":
		if e.Test != "" {
			r.of(e.Package).of(e.Test).end(e.Action)
		} else if _, err := io.WriteString(r.out, r.of(e.Package).text(e.Action)); err != nil {
			return err
		} else {
			delete(r.running, e.Package)
		}
	}
	_, err := r.kept.Write(e.line)
	return err
}

func (r *recorder) of(pkg string) *transcript {
	if r.running[pkg] == nil {
		r.running[pkg] = &transcript{tests: map[string]*said{}}
	}
	return r.running[pkg]
}

func (p *transcript) of(test string) *said {
	if p.tests[test] == nil {
		p.tests[test] = &said{test: test}
		p.order = append(p.order, p.tests[test])
	}
	return p.tests[test]
}

func (s *said) end(verdict string) {
	s.verdict = verdict
	if verdict != "fail" {
		s.lines = nil
	}
}

// text is what `go test` prints when a package has ended.
func (p *transcript) text(verdict string) string {
	if verdict != "fail" {
		return strings.Join(p.own[max(0, len(p.own)-1):], "")
	}
	var b strings.Builder
	for _, s := range p.order {
		if s.verdict == "" || s.verdict == "fail" {
			b.WriteString(s.text())
		}
	}
	return b.String() + strings.Join(p.own, "")
}

// text begins with the verdict, which a test's own output comes before in the stream.
func (s *said) text() string {
	first, rest := "--- NOT FINISHED: "+s.test+"\n", slices.Clone(s.lines)
	if i := slices.IndexFunc(rest, s.judges); i >= 0 {
		first = rest[i]
		rest = slices.Delete(rest, i, i+1)
	}
	return first + strings.Join(rest, "")
}

func (s *said) judges(line string) bool {
	return strings.HasPrefix(strings.TrimLeft(line, " "), "--- FAIL: "+s.test+" ")
}
