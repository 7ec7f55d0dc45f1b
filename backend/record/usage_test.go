package record_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

func TestTheLastUsesOfAKey(t *testing.T) {
	t.Parallel()
	var u record.Uses
	if u.Latest() != 0 || u.Of(1) != 0 {
		t.Errorf("of a key that was never used: %d, %d", u.Latest(), u.Of(1))
	}
	for _, step := range []struct {
		use    record.Use
		want   record.Uses
		latest record.Time
	}{
		{record.Use{Version: 1, At: 10}, record.Uses{{1, 10}}, 10},
		{record.Use{Version: 0, At: 12}, record.Uses{{1, 10}, {0, 12}}, 12},
		{record.Use{Version: 2, At: 11}, record.Uses{{2, 11}, {1, 10}, {0, 12}}, 12},
		{record.Use{Version: 1, At: 9}, record.Uses{{2, 11}, {1, 10}, {0, 12}}, 12},
		{record.Use{Version: 1, At: 10}, record.Uses{{2, 11}, {1, 10}, {0, 12}}, 12},
		{record.Use{Version: 1, At: 20}, record.Uses{{2, 11}, {1, 20}, {0, 12}}, 20},
		{record.Use{Version: 0, At: 30}, record.Uses{{2, 11}, {1, 20}, {0, 30}}, 30},
	} {
		before := slices.Clone(u)
		added := u.Add(step.use)
		if !slices.Equal(u, before) {
			t.Fatalf("%+v changed the list that it was added to", step.use)
		}
		if u = added; !slices.Equal(u, step.want) || u.Latest() != step.latest {
			t.Errorf("with %+v it is %v, last used %d", step.use, u, u.Latest())
		}
	}
}

func TestAsManyVersionsAreRememberedAsAKeyHas(t *testing.T) {
	t.Parallel()
	for _, child := range []bool{false, true} {
		var u record.Uses
		if child {
			u = u.Add(record.Use{At: 1})
		}
		for number := 1; number <= 30; number++ {
			u = u.Add(record.Use{Version: number, At: record.Time(number)})
			for back := range record.MaxVersions {
				if n := number - back; n > 0 && u.Of(n) != record.Time(n) {
					t.Fatalf("of %d versions, with children %v, version %d is forgotten: %v", number, child, n, u)
				}
			}
			if u.Of(0) != map[bool]record.Time{true: 1}[child] {
				t.Fatalf("the use through a child became %d", u.Of(0))
			}
		}
		if versions := slices.DeleteFunc(slices.Clone(u), func(use record.Use) bool { return use.Version == 0 }); len(versions) != record.MaxVersions {
			t.Errorf("%d versions are remembered", len(versions))
		}
	}
}

// Merging is monotone, and its order does not matter.
func TestUsesOnlyMoveForward(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	some := func() (u record.Uses) {
		for range random.IntN(6) {
			u = u.Add(record.Use{Version: random.IntN(5), At: 1 + record.Time(random.IntN(100))})
		}
		return u
	}
	for range 2000 {
		a, b, c := some(), some(), some()
		ab := a.Merge(b)
		if !slices.Equal(ab, b.Merge(a)) || !slices.Equal(ab.Merge(c), a.Merge(b.Merge(c))) || !slices.Equal(ab.Merge(a), ab) {
			t.Fatalf("the order matters for %v, %v, %v", a, b, c)
		}
		for version := range 5 {
			if ab.Of(version) != max(a.Of(version), b.Of(version)) {
				t.Fatalf("%v and %v are %v", a, b, ab)
			}
		}
		if ab.Latest() != max(a.Latest(), b.Latest()) {
			t.Fatalf("%v was last used at %d", ab, ab.Latest())
		}
	}
}
