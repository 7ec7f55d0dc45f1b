package scope

import (
	"slices"
	"sort"
	"strings"
)

// set is scopes in byte order, none of which covers another. In this order * comes
// before all that a segment may consist of, so a wildcard stands right before what
// is below it: whatever of a set covers a scope, is the last that is not behind it.
type set []string

func setOf(scopes []string) set {
	s := slices.Clone(scopes)
	slices.Sort(s)
	kept := s[:0]
	for _, next := range s {
		if len(kept) == 0 || !Covers(kept[len(kept)-1], next) {
			kept = append(kept, next)
		}
	}
	return set(kept)
}

func (s set) covers(needed string) bool {
	behind := sort.Search(len(s), func(i int) bool { return s[i] > needed })
	return behind > 0 && Covers(s[behind-1], needed)
}

// below are those that a scope covers: they stand together.
func (s set) below(granted string) set {
	if granted == All {
		return s
	}
	if !strings.HasSuffix(granted, below) {
		return nil // it covers itself, and is not there
	}
	above := granted[:len(granted)-len(All)]
	first := sort.SearchStrings(s, granted)
	end := first
	for end < len(s) && strings.HasPrefix(s[end], above) {
		end++
	}
	return s[first:end]
}

// intersect is what both sets cover. It is a set: of two scopes one of which
// covers the other, only the narrower one is in both.
func (s set) intersect(allowed set) set {
	common := set{}
	for _, granted := range s {
		if allowed.covers(granted) {
			common = append(common, granted)
		} else {
			common = append(common, allowed.below(granted)...)
		}
	}
	return common
}

// lookup answers what a list covers.
type lookup struct {
	list   []string
	sorted set // instead of the list, where it is not nil
}

// few is how many pairs of scopes are compared one by one: sorting takes longer
// then, and takes memory.
const few = 256

func lookupIn(list []string, questions int) lookup {
	if len(list)*questions <= few {
		return lookup{list: list}
	}
	return lookup{sorted: setOf(list)}
}

func (l lookup) covers(needed string) bool {
	if l.sorted != nil {
		return l.sorted.covers(needed)
	}
	for _, granted := range l.list {
		if Covers(granted, needed) {
			return true
		}
	}
	return false
}
