package readme

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The files that users go by.
const (
	readme    = "README.md"
	reference = "paths/README.md"
	manual    = "cmd/apikeys-gate/README.md"
	figures   = "test/bench/README.md"
)

var files = []string{readme, reference, manual, figures}

// section is what stands between one heading and the next.
type section struct {
	file, chapter, title string // of the second and of the third level; title is "" before the first of these
	lines                []string
}

// block is fenced code.
type block struct {
	file, chapter, title string
	line                 int // of its first line in the file
	language, text       string
	// after is the block before it in the same section, nil if there is none.
	after *block
}

func (b *block) at() string { return fmt.Sprintf("%s:%d", b.file, b.line) }

var (
	heading = regexp.MustCompile("^(##|###) (.*)$")
	fence   = regexp.MustCompile("^( *)```([a-z]*)$")
	marks   = regexp.MustCompile("```|~~~|<pre|<code")
)

// document is all files taken apart.
func document(t testing.TB) (sections []*section, blocks []*block) {
	t.Helper()
	for _, file := range files {
		s, b, err := takeApart(file, read(t, file))
		if err != nil {
			t.Fatal(err)
		}
		sections, blocks = append(sections, s...), append(blocks, b...)
	}
	return sections, blocks
}

func takeApart(file, text string) (sections []*section, blocks []*block, err error) {
	now := &section{file: file}
	sections = append(sections, now)
	var open, last *block
	indent := ""
	for i, line := range strings.Split(text, "\n") {
		f, h := fence.FindStringSubmatch(line), heading.FindStringSubmatch(line)
		switch {
		case f != nil && open == nil:
			indent = f[1]
			open = &block{file: file, chapter: now.chapter, title: now.title, line: i + 2, language: f[2], after: last}
		case f != nil:
			blocks = append(blocks, open)
			open, last = nil, open
		case marks.MatchString(line):
			return nil, nil, fmt.Errorf("%s:%d begins or ends code in a form that no test reads", file, i+1)
		case open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		case h != nil && h[1] == "##":
			now, last = &section{file: file, chapter: h[2]}, nil
			sections = append(sections, now)
		case h != nil:
			now, last = &section{file: file, chapter: now.chapter, title: h[2]}, nil
			sections = append(sections, now)
		default:
			now.lines = append(now.lines, line)
		}
	}
	if open != nil {
		return nil, nil, fmt.Errorf("%s has a block that does not end", open.at())
	}
	return sections, blocks, nil
}

// families are the chapters of the reference that tell of paths, each as one section with what stands below it.
func families(sections []*section) (found []*section) {
	for _, s := range sections {
		switch {
		case s.file != reference || s.chapter == "":
		case s.title == "":
			found = append(found, &section{file: s.file, chapter: s.chapter, lines: slices.Clone(s.lines)})
		default:
			family := found[len(found)-1]
			family.lines = append(family.lines, s.lines...)
		}
	}
	return slices.DeleteFunc(found, func(s *section) bool { return len(s.operations()) == 0 })
}

// grid is a table of a section, its cells as they are written.
type grid struct {
	head []string
	rows [][]string
}

func (s *section) grids() (all []grid) {
	for _, line := range s.lines {
		if !strings.HasPrefix(line, "| ") {
			all = append(all, grid{})
			continue
		}
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " ")
		}
		if len(all) == 0 || all[len(all)-1].head == nil {
			all = append(all, grid{head: cells})
			continue
		}
		now := &all[len(all)-1]
		if !strings.HasPrefix(cells[0], "---") {
			now.rows = append(now.rows, cells)
		}
	}
	return slices.DeleteFunc(all, func(g grid) bool { return g.head == nil })
}

// rows are the cells of a section's tables, without the head of each.
func (s *section) rows() (rows [][]string) {
	for _, g := range s.grids() {
		rows = append(rows, g.rows...)
	}
	return rows
}

// operations are the rows of a section's table of paths: method, path and capabilities.
func (s *section) operations() [][]string {
	return slices.DeleteFunc(s.rows(), func(cells []string) bool {
		return len(cells) != 3 || !strings.HasPrefix(cells[1], "`/apikeys/")
	})
}

// anchor is how a heading is linked to.
func (s *section) anchor() string {
	name := s.title
	if name == "" {
		name = s.chapter
	}
	name = regexp.MustCompile("[^a-z0-9 _-]").ReplaceAllString(strings.ToLower(name), "")
	return s.file + "#" + strings.ReplaceAll(name, " ", "-")
}

var link = regexp.MustCompile(`\]\(([^)]*)\)`)

// links are what a text of this file links to, from the repository's root on.
func links(file, text string) (to []string) {
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		name, anchor, _ := strings.Cut(m[1], "#")
		target := file
		if name != "" {
			target = path.Join(path.Dir(file), name)
		}
		if anchor != "" {
			target += "#" + anchor
		}
		to = append(to, target)
	}
	return to
}

func TestLinksAndFilesExist(t *testing.T) {
	sections, _ := document(t)
	var anchors []string
	for _, s := range sections {
		if slices.Contains(anchors, s.anchor()) {
			t.Errorf("two headings have the link %s", s.anchor())
		}
		anchors = append(anchors, s.anchor())
	}
	for _, file := range files {
		text := read(t, file)
		for _, to := range links(file, text) {
			if strings.Contains(to, "#") && !slices.Contains(anchors, to) {
				t.Errorf("%s: there is no heading for the link to %s", file, to)
			} else if !strings.Contains(to, "#") {
				read(t, to)
			}
		}
		for _, named := range regexp.MustCompile("`(test/[a-z/.]+)`").FindAllStringSubmatch(text, -1) {
			if strings.Contains(named[1], ".") {
				read(t, named[1])
			}
		}
	}
}

// TestTheContentsListEveryChapter holds for what stands before the first one.
func TestTheContentsListEveryChapter(t *testing.T) {
	sections, _ := document(t)
	contents := map[string][]string{}
	for _, s := range sections {
		switch {
		case s.file == figures:
		case s.chapter == "":
			contents[s.file] = links(s.file, strings.Join(s.lines, "\n"))
		case s.title == "" && !slices.Contains(contents[s.file], s.anchor()):
			t.Errorf("%s: the contents lack %s", s.file, s.chapter)
		}
	}
}

// TestTheReadmeIsShort keeps it from becoming the reference again.
func TestTheReadmeIsShort(t *testing.T) {
	if n := strings.Count(read(t, readme), "\n"); n > 630 {
		t.Errorf("it has %d lines: what is not part of a job belongs to %s, %s or %s", n, reference, manual, figures)
	}
}
