package record

import (
	"slices"
)

// Prefixes are those that the keys of a role carry. A key keeps the prefix that
// it was issued with, while the role's may change, and the mount's default.
type Prefixes struct {
	// Used are all of them; new keys get the last one.
	Used []string `json:"used"`
	// Turns counts how often the last one changed, so that who looked through the
	// keys can tell that none of another prefix was issued meanwhile.
	Turns uint64 `json:"turns"`
}

// maxPrefixes is our own bound: each is an alternative in key_pattern.
const maxPrefixes = 32

// ErrTooManyPrefixes is returned by an issue under yet another prefix.
const ErrTooManyPrefixes Conflict = "live keys of the role carry 32 prefixes already; go back to one of these, or wait until those of one have ended and tidy has passed"

// Last tells whether new keys get this prefix.
func (p Prefixes) Last(prefix string) bool {
	return len(p.Used) > 0 && p.Used[len(p.Used)-1] == prefix
}

// Use makes a prefix the last one, unless it is that already: ErrUnchanged.
func (p *Prefixes) Use(prefix string) error {
	if p.Last(prefix) {
		return ErrUnchanged
	}
	others := slices.DeleteFunc(slices.Clone(p.Used), func(used string) bool { return used == prefix })
	if len(others) >= maxPrefixes {
		return ErrTooManyPrefixes
	}
	p.Used = append(others, prefix)
	p.Turns++
	return nil
}

// Drop forgets what no live key carries, but for the last one, and tells whether
// there was any.
func (p *Prefixes) Drop(carried func(prefix string) bool) bool {
	before := len(p.Used)
	used := slices.Clone(p.Used)
	p.Used = slices.DeleteFunc(used, func(prefix string) bool { return !p.Last(prefix) && !carried(prefix) })
	return len(p.Used) < before
}

// With is all of them, a new one first: what a scanner looks for.
func (p Prefixes) With(prefix string) []string {
	others := slices.DeleteFunc(slices.Clone(p.Used), func(used string) bool { return used == prefix })
	return append([]string{prefix}, others...)
}
