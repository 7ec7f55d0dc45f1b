// Package scope is the language of what a key may do: names of rights such as
// read:users, and the rule by which a wider one covers a narrower one.
//
//	scope   = "*" | segment *( ":" segment ) [ ":*" ]
//	segment = 1*( A-Z / a-z / 0-9 / "." / "_" / "/" / "-" )
//
// except - alone.
//
// The rule: a scope covers itself; read:* covers everything below read, at any
// depth, but not read itself; * covers everything. Nothing else covers
// anything. Case counts, and a segment is compared as a whole, so that read
// says nothing about readwrite.
//
// All functions are pure. Apart from [Validate] they expect valid scopes and
// do not check them again; an empty text covers nothing and is covered by
// nothing. No scopes at all means no rights, never all of them. What scopes
// mean to an application is not this package's business.
package scope

import (
	"errors"
	"slices"
	"strings"
)

// MaxLength is the length of the longest scope in bytes. The number is our
// own: long enough for a path, short enough that a thousand of them stay
// small.
const MaxLength = 256

// All is the scope that covers every scope.
const All = "*"

// None stands for 'no scopes are needed' where a list cannot be empty, as in a
// header. It has the form of a scope and is none.
const None = "-"

const separator = ":"

// below is how a scope ends that covers what is below it.
const below = separator + All

var (
	errEmpty     = errors.New("a scope is not empty")
	errTooLong   = errors.New("a scope has at most 256 bytes")
	errNone      = errors.New("- alone is no scope")
	errSegment   = errors.New("a scope has no empty segments")
	errWildcard  = errors.New("a * in a scope stands alone as its last segment")
	errCharacter = errors.New("a scope consists of segments of A-Z a-z 0-9 . _ / - with : between them")
)

// Validate returns nil for a scope, and for anything else an error that says
// what is wrong, without the text itself: callers put all kinds of things
// where a scope should be.
func Validate(s string) error {
	switch {
	case s == "":
		return errEmpty
	case len(s) > MaxLength:
		return errTooLong
	case s == All:
		return nil
	case s == None:
		return errNone
	}
	return validateSegments(strings.TrimSuffix(s, below))
}

func validateSegments(s string) error {
	length := 0
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '.', c == '_', c == '/', c == '-':
			length++
		case c == ':' && length > 0:
			length = 0
		case c == ':':
			return errSegment
		case c == '*':
			return errWildcard
		default:
			return errCharacter
		}
	}
	if length == 0 {
		return errSegment
	}
	return nil
}

// Covers reports whether who holds granted holds needed, too. Either may be a
// wildcard: read:* covers read:users:*, and only * covers *.
func Covers(granted, needed string) bool {
	switch {
	case granted == "" || needed == "":
		return false
	case granted == needed, granted == All:
		return true
	case !strings.HasSuffix(granted, below):
		return false
	}
	above := granted[:len(granted)-len(All)] // "read:"
	return len(needed) > len(above) && strings.HasPrefix(needed, above)
}

// Missing returns what of needed no granted scope covers, in needed's order;
// nil when nothing is missing.
func Missing(granted, needed []string) []string {
	if len(granted)*len(needed) > few {
		return without(needed, setOf(granted).covers)
	}
	return without(needed, func(n string) bool {
		return slices.ContainsFunc(granted, func(g string) bool { return Covers(g, n) })
	})
}

func without(needed []string, covered func(string) bool) (missing []string) {
	for _, n := range needed {
		if !covered(n) {
			missing = append(missing, n)
		}
	}
	return missing
}

// Within reports whether every one of grants is covered by one of allowed. No
// grants are within anything, even within nothing.
func Within(grants, allowed []string) bool { return Missing(allowed, grants) == nil }

// Intersect returns what grants and allowed have in common: each grant that
// allowed covers, and in the place of a wider grant those of allowed that it
// covers, in the order of allowed. Grants that are all covered, the usual case,
// come back as the very same slice; otherwise they keep their order, and nothing
// comes twice or is covered by another.
//
// It takes about as long as sorting both: a chain of delegation is narrowed at
// each verify, and whoever writes the lists must not choose how long that takes.
func Intersect(grants, allowed []string) []string {
	if Within(grants, allowed) {
		return grants
	}
	return setOf(grants).intersect(setOf(allowed))
}
