package readme

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/surface"
)

// keyAnswers is the chapter of what answers about a key have in common.
const keyAnswers = "A key in answers"

// inSeconds is how durations go out.
var inSeconds = strings.NewReplacer("duration", "int")

// fields are those of a section's tables of answers: their types by name.
func (s *section) fields(t testing.TB) map[string]string {
	t.Helper()
	told := map[string]string{}
	for _, g := range s.grids() {
		if g.head[0] != "field" {
			continue
		}
		for _, cells := range g.rows {
			names, types := quoted.FindAllStringSubmatch(cells[0], -1), strings.Split(cells[1], ", ")
			for i, name := range names {
				if len(types) != 1 && len(types) != len(names) {
					t.Errorf("%s: %s has %d types", s.chapter, cells[0], len(types))
					continue
				}
				told[name[1]] = types[min(i, len(types)-1)]
			}
		}
	}
	return told
}

// TestEveryFieldOfEveryAnswerIsTold holds each answer that the engine declares against the chapter of its path, and what
// the tables of answers tell against what is declared.
func TestEveryFieldOfEveryAnswerIsTold(t *testing.T) {
	operations := documented(t, surface.At(t, servers.Server(t), "apikeys"))
	sections, _ := document(t)
	common := sections[slices.IndexFunc(sections, func(s *section) bool { return s.chapter == keyAnswers })]
	ofKeys, everything := common.fields(t), map[string]string{}
	for _, s := range families(sections) {
		declared := map[string]string{}
		for _, cells := range s.operations() {
			maps.Copy(declared, operations[unquoted(cells[0]+" "+cells[1])].answer)
		}
		maps.Copy(everything, declared)
		own, sent, text := s.fields(t), s.parameters(), strings.Join(s.lines, "\n")
		for name, kind := range declared {
			told := cmp.Or(own[name], sent[name].kind, ofKeys[name])
			switch {
			case told == "" && !regexp.MustCompile("`"+name+"`").MatchString(text):
				t.Errorf("%s: the field %s of an answer is not told", s.chapter, name)
			case told != "" && inSeconds.Replace(told) != inSeconds.Replace(kind):
				t.Errorf("%s: the field %s of an answer is of type %s, told is %s", s.chapter, name, kind, told)
			}
		}
		for name := range own {
			if declared[name] == "" {
				t.Errorf("%s: no answer has the field %s", s.chapter, name)
			}
		}
	}
	for name := range ofKeys {
		if everything[name] == "" {
			t.Errorf("%s: no answer has the field %s", keyAnswers, name)
		}
	}
	if len(ofKeys) < 20 {
		t.Errorf("%s tells only of %d fields", keyAnswers, len(ofKeys))
	}
}

// TestEveryHeaderOfAuthorizeIsTold compares the table with the headers that the recipe lets out.
func TestEveryHeaderOfAuthorizeIsTold(t *testing.T) {
	sections, _ := document(t)
	var told []string
	for _, s := range families(sections) {
		for _, g := range s.grids() {
			if g.head[0] != "header of the answer" {
				continue
			}
			for _, cells := range g.rows {
				told = append(told, strings.Split(unquoted(cells[0]), ", ")...)
			}
		}
	}
	set := regexp.MustCompile(`\bset\("([A-Za-z-]+)"`)
	var inSource []string
	for _, m := range set.FindAllStringSubmatch(read(t, "backend/verdict/verdict.go"), -1) {
		inSource = append(inSource, m[1])
	}
	slices.Sort(told)
	slices.Sort(inSource)
	if inSource = slices.Compact(inSource); len(inSource) == 0 || !slices.Equal(told, inSource) {
		t.Errorf("the source sets %v, told is %v", inSource, told)
	}
	for _, name := range told {
		for _, file := range []string{readme, reference, "scripts/dev.sh"} {
			if !regexp.MustCompile(`allowed.response.headers=\S*` + name).MatchString(read(t, file)) {
				t.Errorf("%s: a mount does not let out %s", file, name)
			}
		}
	}
}
