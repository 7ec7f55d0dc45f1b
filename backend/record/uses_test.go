package record_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

func TestTheLastUsesOfAKey(t *testing.T) {
	t.Parallel()
	var u record.Uses
	if u.Last != 0 || u.Of(1) != 0 {
		t.Errorf("of a key that was never used: %d, %d", u.Last, u.Of(1))
	}
	for _, step := range []struct {
		version int
		at      record.Time
		want    []record.Use
		last    record.Time
	}{
		{1, 10, []record.Use{{1, 10}}, 10},
		{0, 12, []record.Use{{1, 10}}, 12},
		{2, 11, []record.Use{{2, 11}, {1, 10}}, 12},
		{1, 9, []record.Use{{2, 11}, {1, 10}}, 12},
		{1, 20, []record.Use{{2, 11}, {1, 20}}, 20},
		{0, 30, []record.Use{{2, 11}, {1, 20}}, 30},
		{0, 5, []record.Use{{2, 11}, {1, 20}}, 30},
	} {
		u.Use(step.version, step.at)
		if !slices.Equal(u.Versions, step.want) || u.Last != step.last {
			t.Errorf("with version %d at %d it is %v", step.version, step.at, u)
		}
	}
}

func TestAsManyVersionsAreRememberedAsAKeyHas(t *testing.T) {
	t.Parallel()
	var u record.Uses
	for number := 1; number <= 30; number++ {
		u.Use(number, record.Time(number))
		u.Use(1, 100) // an old one does not push out one that is newer
		for back := range record.MaxVersions - 1 {
			if n := number - back; n > 1 && u.Of(n) != record.Time(n) {
				t.Fatalf("of %d versions, version %d is forgotten: %v", number, n, u)
			}
		}
	}
	if len(u.Versions) != record.MaxVersions || u.Of(1) != 0 {
		t.Errorf("remembered are %v", u.Versions)
	}
}

// Merging is monotone, its order does not matter, and it changes neither.
func TestUsesOnlyMoveForward(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	some := func() (u record.Uses) {
		for range random.IntN(6) {
			u.Use(random.IntN(5), 1+record.Time(random.IntN(100)))
		}
		return u
	}
	for range 2000 {
		a, b, c := some(), some(), some()
		wasA, wasB := a.Merge(record.Uses{}), b.Merge(record.Uses{})
		ab := a.Merge(b)
		if !same(ab, b.Merge(a)) || !same(ab.Merge(c), a.Merge(b.Merge(c))) || !same(ab.Merge(a), ab) {
			t.Fatalf("the order matters for %v, %v, %v", a, b, c)
		}
		for version := range 5 {
			if ab.Of(version) != max(a.Of(version), b.Of(version)) {
				t.Fatalf("%v and %v are %v", a, b, ab)
			}
		}
		if ab.Last != max(a.Last, b.Last) || !same(a, wasA) || !same(b, wasB) {
			t.Fatalf("%v and %v became %v and %v, together %v", wasA, wasB, a, b, ab)
		}
	}
}

func same(a, b record.Uses) bool {
	return a.Last == b.Last && (len(a.Versions)+len(b.Versions) == 0 || reflect.DeepEqual(a.Versions, b.Versions))
}
