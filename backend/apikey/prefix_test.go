package apikey

import (
	"regexp"
	"testing"
)

func TestPatternFindsKeysOfItsPrefixAndNothingElse(t *testing.T) {
	t.Parallel()
	tk := testTagKey(t, 1)
	re := regexp.MustCompile(Pattern("live"))
	text := mustGenerate(t, tk, "live", 1).Reveal()
	for name, c := range map[string]struct {
		in   string
		want bool
	}{
		"the key":            {text, true},
		"in quotes":          {`KEY="` + text + `";`, true},
		"at a line's end":    {"x\n" + text + "\n", true},
		"one char less":      {text[:len(text)-1], false},
		"one char more":      {text + "a", false},
		"an underscore more": {text + "_", false},
		"one char before":    {"a" + text, false},
		"cut on the left":    {text[1:], false},
		"another prefix":     {mustGenerate(t, tk, "test", 1).Reveal(), false},
		"a longer prefix":    {mustGenerate(t, tk, "acme_live", 1).Reveal(), false},
		"a hint":             {mustGenerate(t, tk, "live", 1).String(), false},
	} {
		if got := re.FindString(c.in); (got == text) != c.want || (got != "") != c.want {
			t.Errorf("%s: found %v", name, got != "")
		}
	}
	nothing := regexp.MustCompile(Pattern(".*"))
	for _, s := range []string{"", "a", "\n", text} {
		if nothing.MatchString(s) {
			t.Errorf("the pattern of an invalid prefix matched %d bytes", len(s))
		}
	}
}

func TestAPatternOfSeveralPrefixesFindsTheKeysOfEach(t *testing.T) {
	t.Parallel()
	tk := testTagKey(t, 1)
	prefixes := []string{"live", "acme_live", "live_eu", "a"}
	re := regexp.MustCompile(Pattern(append(prefixes, ".*")...))
	for _, prefix := range prefixes {
		text := mustGenerate(t, tk, prefix, 1).Reveal()
		if re.FindString("<"+text+">") != text {
			t.Errorf("a key of %s is not found", prefix)
		}
		for _, s := range []string{text[1:], text[:len(text)-1], text + "0", "x" + text, "eu_" + text, "a|" + text[1:]} {
			if re.FindString(s) != "" {
				t.Errorf("%s: what is no key is found", prefix)
			}
		}
	}
	if re.FindString(mustGenerate(t, tk, "test", 1).Reveal()) != "" {
		t.Error("a key of another prefix is found")
	}
}
