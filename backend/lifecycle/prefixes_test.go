package lifecycle

import (
	"errors"
	"slices"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/trials/memory"
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

func TestARoleKnowsAPrefixBeforeAKeyCarriesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.disk.Intercept(memory.Before(fails("put", "key/")))
	if _, err := w.Issue(t.Context(), IssueRequest{Role: "web"}); err == nil || !slices.Equal(w.remembered(), []string{"vak"}) {
		t.Errorf("it remembers %q, %v", w.remembered(), err)
	}
	w.disk.Intercept(memory.Before(fails("put", "role/")))
	w.prefixFails("live")
	w.disk.Intercept(nil)
	w.issue()
	writes := w.disk.Writes()
	w.issue()
	if n := w.disk.Writes() - writes; n != 3 {
		t.Errorf("a further key of the same prefix costs %d writes", n)
	}
}

// prefixFails wants an issue under a prefix that cannot be remembered to make no key.
func (w *world) prefixFails(prefix string) {
	w.Helper()
	w.disk.Intercept(nil)
	w.prefix(prefix)
	w.disk.Intercept(memory.Before(fails("put", "role/")))
	_, err := w.Issue(w.Context(), IssueRequest{Role: "web"})
	if err == nil {
		w.Error("a key was issued whose prefix the role does not know")
	}
	w.each(func(path, _ string) {
		if len(path) > 4 && path[:4] == "key/" {
			w.Errorf("it left %s", path)
		}
	})
}

func TestAKeyThatWasMintedUnderThePrefixBeforeIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue()
	w.during = func() {
		w.prefix("live")
		w.issue()
	}
	if _, err := w.Issue(t.Context(), IssueRequest{Role: "web"}); !errors.Is(err, ErrPrefixChanged) {
		t.Errorf("it answered %v", err)
	}
	// A change alone, under which nothing was issued yet, refuses nothing.
	w.during = func() { w.prefix("test") }
	m, err := w.Issue(t.Context(), IssueRequest{Role: "web"})
	if err != nil || m.Key.Prefix != "live" {
		t.Errorf("it answered %v, %v", m.Text, err)
	}
}
