package upkeep

import (
	"slices"
	"testing"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
)

func (w *world) prefix(prefix string) {
	w.Helper()
	w.role("web", func(r *record.Role) { r.Prefix = prefix })
}

func (w *world) remembered() []string {
	w.Helper()
	role, _, err := w.Store.Role(w.Context(), "web")
	w.must(err)
	return role.Prefixes.Used
}

func (w *world) sweep() {
	w.Helper()
	w.must((&sweep{mount: w.kept, count: func(int, int) {}, counted: func(census) {}}).run(w.Context()))
}

func TestTidyForgetsThePrefixesThatNoLiveKeyCarries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.issue()
	w.prefix("live")
	second := w.issue()
	w.sweep()
	if got := w.remembered(); !slices.Equal(got, []string{"vak", "live"}) {
		t.Errorf("with both alive: %q", got)
	}
	w.must(w.Delete(t.Context(), lifecycle.Target{ID: first.Key.ID}))
	w.sweep()
	if got := w.remembered(); !slices.Equal(got, []string{"live"}) {
		t.Errorf("with one alive: %q", got)
	}
	w.prefix("test") // of which no key was issued yet
	w.sweep()
	if got := w.remembered(); !slices.Contains(got, "live") {
		t.Errorf("with one alive, of an earlier prefix: %q", got)
	}
	w.must(w.Delete(t.Context(), lifecycle.Target{ID: second.Key.ID}))
	w.sweep()
	if got := w.remembered(); !slices.Equal(got, []string{"test"}) {
		t.Errorf("with none alive: %q", got)
	}
}

// What is issued while tidy looks through the keys may lie where it has been.
func TestTidyForgetsNoPrefixThatWasTurnedToMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gone := w.issue()
	w.prefix("live")
	w.issue()
	w.must(w.Delete(t.Context(), lifecycle.Target{ID: gone.Key.ID}))
	config, err := w.Store.Config(t.Context())
	w.must(err)
	roles, err := w.kept.carriersNow(t.Context(), config, []string{"web"})
	w.must(err)
	w.prefix("vak")
	late := w.issue()
	w.prefix("live")
	w.issue()
	w.must(w.kept.dropPrefixes(t.Context(), roles))
	if got := w.remembered(); !slices.Contains(got, "vak") {
		t.Errorf("%s lives, and the role knows %q", late.Text, got)
	}
}

func TestTidyForgetsNoPrefixWhereAKeyCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.issue()
	w.prefix("live")
	w.issue()
	path := "key/" + first.Key.ID[:2] + "/" + first.Key.ID
	whole := w.disk.Holds(path)
	w.disk.Plant(path, "{")
	w.Store.Invalidate(path)
	w.sweep()
	if got := w.remembered(); !slices.Contains(got, "vak") {
		t.Errorf("the role knows %q", got)
	}
	w.disk.Plant(path, whole)
}
