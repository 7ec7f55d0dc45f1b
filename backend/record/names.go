package record

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"vault-plugin-secrets-apikeys/backend/apikey"
)

// nameGrammar is that of roles, owners and static names. It has no slash, so a
// name is always one path segment and one storage segment.
var nameGrammar = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$`)

// ValidName tells whether s may name a role or an owner. Names are compared
// byte by byte and never folded. A key is none, though it could be by its
// characters: what is looked up by a name stands in errors of storage, and so in
// the log.
func ValidName(s string) bool { return grammatical(s) && !holdsKey(s) }

func grammatical(s string) bool {
	return nameGrammar.MatchString(s) && !strings.Contains(s, "..")
}

// CheckName refuses a name outside the grammar; field says in which parameter.
func CheckName(field, s string) error {
	if !grammatical(s) {
		return Mistakef("%s must be 1 to 128 of the characters A-Z a-z 0-9 . _ @ -, begin with a letter or a digit and not contain '..'", field)
	}
	return checkNoKey(field, s)
}

// checkNoKey refuses a key in a place where it would be stored and shown: someone
// took one field for another, or wrote down which key leaked, and where.
func checkNoKey(field, s string) error {
	if holdsKey(s) {
		return Mistakef("%s must not hold a key", field)
	}
	return nil
}

// holdsKey tells whether one of the words of a text is a key.
func holdsKey(s string) bool {
	if len(s) <= apikey.BodyLength {
		return false // as most are, and each verify asks
	}
	words := strings.FieldsFunc(s, func(r rune) bool {
		return r != '_' && !('0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z')
	})
	return slices.ContainsFunc(words, apikey.WellFormed)
}

// Sizes of free text, in bytes.
const (
	MaxLabel         = 128
	MaxReason        = 256
	MaxDescription   = 1024
	maxMetadataPairs = 32
	maxMetadataKey   = 64
	maxMetadataValue = 512
)

// CheckText refuses text of more than max bytes and text that is not printable
// UTF-8: what is stored ends up in terminals and logs.
func CheckText(field, s string, max int) error {
	if len(s) > max {
		return Mistakef("%s is longer than %d bytes", field, max)
	}
	if !printable(s) {
		return Mistakef("%s must be printable UTF-8", field)
	}
	return checkNoKey(field, s)
}

// CheckMetadata refuses metadata beyond 32 pairs of 64 and 512 bytes.
func CheckMetadata(metadata map[string]string) error {
	if len(metadata) > maxMetadataPairs {
		return Mistakef("metadata has more than %d pairs", maxMetadataPairs)
	}
	for k, v := range metadata {
		if k == "" || len(k) > maxMetadataKey || !printable(k) {
			return Mistakef("a metadata key must be 1 to %d bytes of printable UTF-8", maxMetadataKey)
		}
		if len(v) > maxMetadataValue || !printable(v) {
			return Mistakef("a metadata value must be at most %d bytes of printable UTF-8", maxMetadataValue)
		}
		if err := checkNoKey("metadata", v); err != nil {
			return err
		}
	}
	return nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
