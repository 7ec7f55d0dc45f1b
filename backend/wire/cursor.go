package wire

import (
	"strconv"
	"strings"
)

// Cursor is a place in the feed: the term of a process that may write, and how many
// changes it has told. Only the engine makes them, and whoever else has one sends it
// back as it is; but a gate compares them.
type Cursor struct {
	Term     uint64 // raised by each process
	Suffix   string // random: a restored snapshot may bring an old number back
	Sequence uint64
}

// SuffixLength is that of a cursor's suffix, which is hexadecimal.
const SuffixLength = 16

// String is the cursor as it is sent: term-suffix.sequence.
func (c Cursor) String() string {
	text := strconv.AppendUint(make([]byte, 0, 64), c.Term, 10)
	text = append(append(append(text, '-'), c.Suffix...), '.')
	return string(strconv.AppendUint(text, c.Sequence, 10))
}

// ParseCursor reads what String wrote, and nothing else.
func ParseCursor(text string) (c Cursor, ok bool) {
	place, sequence, _ := strings.Cut(text, ".")
	term, suffix, _ := strings.Cut(place, "-")
	c.Suffix = suffix
	if c.Term, ok = parseNumber(term); !ok || !validSuffix(suffix) {
		return Cursor{}, false
	}
	if c.Sequence, ok = parseNumber(sequence); !ok {
		return Cursor{}, false
	}
	return c, true
}

// Behind tells whether c is an earlier place than another: of an earlier term, or
// before it in its feed. Neither of two feeds that happen to have one term is behind
// the other.
func (c Cursor) Behind(other Cursor) bool {
	if c.Term != other.Term {
		return c.Term < other.Term
	}
	return c.Suffix == other.Suffix && c.Sequence < other.Sequence
}

// parseNumber takes one form of each number.
func parseNumber(text string) (n uint64, ok bool) {
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil && strconv.FormatUint(n, 10) == text
}

func validSuffix(text string) bool {
	return len(text) == SuffixLength && strings.Trim(text, "0123456789abcdef") == ""
}
