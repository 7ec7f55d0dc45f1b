package apikey

import (
	"fmt"
	"slices"
	"strings"
)

// ValidPrefix reports whether s is a prefix: [a-z][a-z0-9]*(_[a-z0-9]+)*, at
// most [MaxPrefixLength] bytes.
func ValidPrefix(s string) bool {
	if s == "" || len(s) > MaxPrefixLength || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := 1; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case c == '_' && s[i-1] != '_' && i < len(s)-1:
		default:
			return false
		}
	}
	return true
}

// ValidID reports whether s has the form of an id: [IDLength] symbols of
// base62.
func ValidID(s string) bool {
	return len(s) == IDLength && allSymbols(s)
}

// Hint returns what may be shown of a key: acme_live_3kTMd9Xq2LwVb7Rc_… It
// holds nothing of the body.
func Hint(prefix, id string) string {
	return prefix + "_" + id + "_…"
}

// Pattern returns a regular expression, for RE2 and PCRE alike, that finds the
// keys of these prefixes inside other text, and nothing shorter or longer: the
// underscore counts as a word character, so \b also keeps the pattern of
// "live" from finding the keys of "acme_live". What it finds need not pass
// Parse: no regular expression computes a crc.
//
// A prefix that is not valid has no keys: a pattern of no other matches nothing.
func Pattern(prefixes ...string) string {
	prefixes = slices.DeleteFunc(slices.Clone(prefixes), func(p string) bool { return !ValidPrefix(p) })
	one := strings.Join(prefixes, "|")
	switch len(prefixes) {
	case 0:
		return `[^\s\S]`
	case 1:
	default:
		one = "(?:" + one + ")"
	}
	return fmt.Sprintf(`\b%s_[0-9A-Za-z]{%d}_[0-9A-Za-z]{%d}\b`, one, IDLength, BodyLength)
}
