package readme

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// section is what stands between one heading and the next.
type section struct {
	chapter, title string // of the second and of the third level; title is "" before the first of these
	lines          []string
}

// block is fenced code.
type block struct {
	chapter, title string
	line           int // of its first line in the file
	language, text string
	// after is the block before it in the same section, nil if there is none.
	after *block
}

var (
	heading = regexp.MustCompile("^(##|###) (.*)$")
	fence   = regexp.MustCompile("^( *)```([a-z]*)$")
)

// document is README.md taken apart.
func document(t testing.TB) (sections []*section, blocks []*block) {
	t.Helper()
	now := &section{}
	sections = append(sections, now)
	var open, last *block
	indent := ""
	for i, line := range strings.Split(read(t, "README.md"), "\n") {
		f, h := fence.FindStringSubmatch(line), heading.FindStringSubmatch(line)
		switch {
		case f != nil && open == nil:
			indent = f[1]
			open = &block{chapter: now.chapter, title: now.title, line: i + 2, language: f[2], after: last}
		case f != nil:
			blocks = append(blocks, open)
			open, last = nil, open
		case open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		case h != nil && h[1] == "##":
			now, last = &section{chapter: h[2]}, nil
			sections = append(sections, now)
		case h != nil:
			now, last = &section{chapter: now.chapter, title: h[2]}, nil
			sections = append(sections, now)
		default:
			now.lines = append(now.lines, line)
		}
	}
	if open != nil || len(blocks) == 0 {
		t.Fatal("README.md has a block that does not end, or none")
	}
	return sections, blocks
}

// rows are the cells of a section's tables, without the head of each and without the code marks.
func (s *section) rows() (rows [][]string) {
	for _, line := range s.lines {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " ")
		}
		if strings.HasPrefix(cells[0], "---") {
			rows = rows[:len(rows)-1]
			continue
		}
		rows = append(rows, cells)
	}
	return rows
}

func TestLinksAndFilesOfTheReadmeExist(t *testing.T) {
	text := read(t, "README.md")
	sections, _ := document(t)
	var anchors []string
	for _, s := range sections {
		name := s.title
		if name == "" {
			name = s.chapter
		}
		anchors = append(anchors, "#"+strings.ReplaceAll(strings.ToLower(name), " ", "-"))
	}
	for _, link := range regexp.MustCompile(`\]\(([^)]*)\)`).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(anchors, link[1]) {
			t.Errorf("there is no heading for the link to %s", link[1])
		}
	}
	for _, file := range regexp.MustCompile("`(test/[a-z/.]+)`").FindAllStringSubmatch(text, -1) {
		if strings.Contains(file[1], ".") {
			read(t, file[1])
		}
	}
}
