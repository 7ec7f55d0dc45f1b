package races

import (
	"sync/atomic"
	"testing"
)

// Without a grace the old version ends with the first answer for the new one, however
// many ask at once, and while that is written behind the answer.
func TestTheOldVersionEndsWithTheFirstUseOfTheNewOne(t *testing.T) {
	m := raceMount(t)
	for range 100 {
		k := m.Must("issue/web", nil)
		old := k.Str("key")
		next := m.Must("rotate/"+k.Str("key_id"), map[string]any{"activation": "first_use", "grace_period": 0}).Str("key")
		var used atomic.Bool
		use := func() {
			for range 4 {
				if code := m.Code(next); code != "valid" {
					t.Errorf("the new version is %s", code)
				}
				used.Store(true)
			}
		}
		ask := func() {
			for range 8 {
				before := used.Load()
				if code := m.Code(old); code != "superseded" && (before || code != "valid") {
					t.Errorf("after the new version's first answer (%t) the old one is %s", before, code)
				}
			}
		}
		together(use, use, ask, ask, func() { m.Must("keys/"+k.Str("key_id"), map[string]any{"name": "x"}) })
		if code := m.Code(old); code != "superseded" {
			t.Fatalf("afterwards the old version is %s", code)
		}
	}
}

// Whichever comes first, a rollback and a first use leave one version in effect.
func TestARollbackAndAFirstUseAtOnce(t *testing.T) {
	m := raceMount(t)
	for range 60 {
		k := m.Must("issue/web", nil)
		id := k.Str("key_id")
		next := m.Must("rotate/"+id, map[string]any{"activation": "first_use", "grace_period": 0}).Str("key")
		rolled := 0
		together(
			func() { m.Code(next) },
			func() { rolled = m.Write("rotate/"+id+"/rollback", nil).Status },
		)
		old, new := m.Code(k.Str("key")), m.Code(next)
		if rolled == 200 && (old != "valid" || new != "invalid") || rolled == 409 && (old != "superseded" || new != "valid") || rolled != 200 && rolled != 409 {
			t.Fatalf("the rollback answered %d, then the old version is %s and the new one %s", rolled, old, new)
		}
	}
}
