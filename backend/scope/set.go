package scope

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// set is scopes in byte order, none of which covers another. In this order * comes
// before all that a segment may consist of, so a wildcard stands right before what
// is below it: whatever of a set covers a scope, is the last that is not behind it.
type set []member

// member is a scope and its place in the list that it is from.
type member struct {
	scope string
	place int
}

func byScope(a, b member) int {
	return cmp.Or(strings.Compare(a.scope, b.scope), byPlace(a, b))
}

func byPlace(a, b member) int { return cmp.Compare(a.place, b.place) }

func setOf(scopes []string) set {
	s := make(set, len(scopes))
	for i, scope := range scopes {
		s[i] = member{scope, i}
	}
	slices.SortFunc(s, byScope)
	kept := s[:0]
	for _, next := range s {
		if len(kept) == 0 || !Covers(kept[len(kept)-1].scope, next.scope) {
			kept = append(kept, next)
		}
	}
	return kept
}

func (s set) covers(needed string) bool {
	behind := sort.Search(len(s), func(i int) bool { return s[i].scope > needed })
	return behind > 0 && Covers(s[behind-1].scope, needed)
}

// below are those that a scope covers: they stand together.
func (s set) below(granted string) set {
	if granted == All {
		return s
	}
	if !strings.HasSuffix(granted, below) {
		return nil // no wildcard: it covers itself only, and the set does not have it
	}
	above := granted[:len(granted)-len(All)]
	first := sort.Search(len(s), func(i int) bool { return s[i].scope >= granted })
	end := first
	for end < len(s) && strings.HasPrefix(s[end].scope, above) {
		end++
	}
	return s[first:end]
}

// intersect is what both sets cover: of two scopes one of which covers the other,
// the narrower one. Each stands in the place of the grant that it is covered by,
// and those of one grant in the order of the allowed list.
func (s set) intersect(allowed set) []string {
	slices.SortFunc(s, byPlace)
	common := []string{}
	for _, granted := range s {
		if allowed.covers(granted.scope) {
			common = append(common, granted.scope)
			continue
		}
		narrower := slices.Clone(allowed.below(granted.scope))
		slices.SortFunc(narrower, byPlace)
		for _, n := range narrower {
			common = append(common, n.scope)
		}
	}
	return common
}

// few is how many pairs of scopes are compared one by one: sorting takes longer
// then, and takes memory.
const few = 256
