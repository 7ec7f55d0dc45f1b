package readme

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// runner tells which blocks of commands a test runs.
type runner struct {
	test string
	runs func(b *block) bool
}

// operate is the chapter whose commands are for a production server.
const operate = "Operate"

// The runners. Each test takes its blocks from its runner, so what none of these claims is run by none.
var (
	ofReadme     = runner{"TestEveryCommandRunsOnTheServerOfMakeDev", func(b *block) bool { return b.file == readme && b.chapter != operate }}
	ofReference  = runner{"TestEveryCommandOfTheReferenceRunsOnTheServerOfMakeDev", func(b *block) bool { return b.file == reference }}
	ofProduction = runner{"TestProductionCommandsRegisterAndUpgrade", func(b *block) bool { return b.file == readme && b.chapter == operate }}
)

// blocks are those of commands that the runner's test runs.
func (r runner) blocks(all []*block) []*block {
	return slices.DeleteFunc(slices.Clone(all), func(b *block) bool { return b.language != "shell" || !r.runs(b) })
}

// shownOnly are the languages of what nobody pastes into a shell.
var shownOnly = []string{"text", "http", "json", "hcl", "nginx", "caddyfile", "haproxy", "lua", "yaml", "ini"}

var looksLikeACommand = regexp.MustCompile(`(?m)^\s*(\$ |#!|(sudo|vault|make|go|git|curl|bash|sh|export|install|docker|echo|printf) )`)

// unrun are the blocks that hold commands which no test runs.
func unrun(blocks []*block) (at []string) {
	for _, b := range blocks {
		claims := 0
		for _, r := range []runner{ofReadme, ofReference, ofProduction} {
			claims += len(r.blocks([]*block{b}))
		}
		switch {
		case b.language == "shell" && claims != 1,
			b.language != "shell" && !slices.Contains(shownOnly, b.language),
			b.language == "text" && looksLikeACommand.MatchString(b.text):
			at = append(at, b.at())
		}
	}
	return at
}

func TestEveryBlockOfCommandsIsRunByATest(t *testing.T) {
	_, blocks := document(t)
	for _, at := range unrun(blocks) {
		t.Errorf("%s: no test runs this block", at)
	}
	for _, planted := range []struct{ file, text string }{
		{readme, "```bash\nvault status\n```\n"},
		{readme, "```\nvault status\n```\n"},
		{readme, "```text\nKey\n  vault status\n```\n"},
		{figures, "```shell\nmake bench\n```\n"},
		{reference, "1. step\n\n   ```sh\n   vault status\n   ```\n"},
	} {
		if _, blocks, err := takeApart(planted.file, planted.text); err != nil || len(unrun(blocks)) != 1 {
			t.Errorf("in %s this block is not missed: %s %v", planted.file, planted.text, err)
		}
	}
	for _, text := range []string{"~~~shell\nvault status\n~~~\n", "```shell {.x}\nvault status\n```\n", "<pre>vault status</pre>\n", "```shell\nvault status\n"} {
		if _, _, err := takeApart(readme, text); err == nil {
			t.Errorf("this is taken for text: %s", text)
		}
	}
}

// TestNoOtherTextHasBlocksOfCommands holds for what is not among the files.
func TestNoOtherTextHasBlocksOfCommands(t *testing.T) {
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && path != root || entry.Name() == "bin") {
			return filepath.SkipDir
		}
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		file, err := filepath.Rel(root, path)
		if err == nil && !slices.Contains(files, filepath.ToSlash(file)) && marks.MatchString(read(t, file)) {
			t.Errorf("%s has blocks of code, and no test reads it", file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCommandsWithinTheTextAreAmongThoseThatRun holds for commands of more than a name; what stands in angle brackets is
// filled in.
func TestCommandsWithinTheTextAreAmongThoseThatRun(t *testing.T) {
	sections, blocks := document(t)
	var run strings.Builder
	for _, b := range blocks {
		if b.language == "shell" {
			run.WriteString(strings.ReplaceAll(b.text, "\\\n", "") + "\n")
		}
	}
	found := 0
	for _, s := range sections {
		for _, m := range regexp.MustCompile("`(vault [^`]*)`").FindAllStringSubmatch(strings.Join(s.lines, "\n"), -1) {
			if !strings.ContainsAny(m[1], "/=") && strings.Count(m[1], " ") < 3 {
				continue
			}
			found++
			pattern := regexp.MustCompile("<[a-z_]+>").ReplaceAllString(regexp.QuoteMeta(m[1]), `\S+`)
			if !regexp.MustCompile(pattern).MatchString(run.String()) {
				t.Errorf("%s, %s: no test runs %s", s.file, s.chapter, m[1])
			}
		}
	}
	if found == 0 {
		t.Error("no command stands in the text")
	}
}
