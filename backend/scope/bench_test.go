package scope

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func BenchmarkCovers(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if !Covers("read:users:*", "read:users:42") {
			b.Fatal("not covered")
		}
	}
}

func BenchmarkIntersectAllAllowed(b *testing.B) {
	grants, allowed := []string{"read:users", "write:users"}, []string{"admin:*", "read:*", "write:*"}
	b.ReportAllocs()
	for b.Loop() {
		Intersect(grants, allowed)
	}
}

func BenchmarkValidate(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if Validate("read:users:42:*") != nil {
			b.Fatal("not valid")
		}
	}
}

// generations are the role's scopes and those of a key and its eight ancestors,
// the root first, as costly as lists of so many bytes may be: each generation
// narrows a wildcard of its own to as many scopes as a list has place for, and
// keeps the others', so that what is left grows with each.
func generations(count, bytes int) (lists [][]string) {
	for own := range 10 {
		var list []string
		for i := range count {
			tree := fmt.Sprintf("%s%d:", strings.Repeat("w", bytes/count-5), i)
			switch {
			case i >= 10:
				list = append(list, fmt.Sprintf("%s%d:%03d", strings.Repeat("w", bytes/count-5), own, i))
			case i != own:
				list = append(list, tree+All)
			}
		}
		lists = append(lists, list)
	}
	return lists
}

func narrowed(lists [][]string, intersect func(grants, allowed []string) []string) []string {
	allowed := lists[0]
	for _, grants := range lists[1:] {
		allowed = intersect(grants, allowed)
	}
	return allowed
}

// pairwise is Intersect by comparing each with each, which it was.
func pairwise(grants, allowed []string) []string {
	covered := func(granted []string, needed string) bool {
		for _, g := range granted {
			if Covers(g, needed) {
				return true
			}
		}
		return false
	}
	common := []string{}
	add := func(s string) {
		for _, c := range common {
			if c == s {
				return
			}
		}
		common = append(common, s)
	}
	for _, g := range grants {
		if covered(allowed, g) {
			add(g)
			continue
		}
		for _, a := range allowed {
			if Covers(g, a) {
				add(a)
			}
		}
	}
	return common
}

// The worst that can be written: what a verify of a key with eight ancestors does
// about scopes, and a request that needs as many as it may name.
func BenchmarkTheWorstChain(b *testing.B) {
	lists := generations(128, 16<<10)
	needed := lists[len(lists)-1]
	for b.Loop() {
		Missing(narrowed(lists, Intersect), needed)
	}
	took := b.Elapsed() / time.Duration(b.N)
	begin := time.Now()
	const runs = 20
	for range runs {
		left := narrowed(lists, pairwise)
		for _, n := range needed {
			for _, g := range left {
				if Covers(g, n) {
					break
				}
			}
		}
	}
	b.ReportMetric(float64(time.Since(begin)/runs)/float64(took), "times-faster-than-pairwise")
	b.ReportMetric(float64(len(narrowed(lists, Intersect))), "scopes-left")
}
