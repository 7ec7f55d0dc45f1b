package edge

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestADenialIsToldForAsLongAsItMatters mends a policy at whose path nobody asks again, and
// has more roles than are told apart.
func TestADenialIsToldForAsLongAsItMatters(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		ask := func(role string) { _, _ = w.verify(w.text(apikeyID(), 1), func(q *Question) { q.Role = role }) }
		deny := func(role string) {
			w.set(func() { w.vault.deny = role })
			ask(role)
		}
		deny("ops")
		time.Sleep(9 * time.Minute)
		if denied := w.Status().Denied; !slices.Equal(denied, []string{"gate/resolve/ops"}) {
			t.Errorf("denied are %q", denied)
		}
		w.set(func() { w.vault.deny = "" })
		time.Sleep(2 * time.Minute)
		if s := w.Status(); len(s.Denied) != 0 || s.Reason != "" {
			t.Errorf("long after a denial it is %+v", s)
		}
		wantFigures(t, w.Mirror, map[string]float64{"upstream_denied gate/resolve": 0})

		before := figures(w.Mirror)["upstream_calls_total gate/resolve answered"]
		for i := range 2 * maxCalls {
			ask(fmt.Sprint("role-", i))
		}
		if after := figures(w.Mirror)["upstream_calls_total gate/resolve answered"]; after-before < 2*maxCalls {
			t.Errorf("of %d calls %v are counted", 2*maxCalls, after-before)
		}
		deny("last")
		if denied := w.Status().Denied; !slices.Equal(denied, []string{"gate/resolve/last"}) {
			t.Errorf("beside many others, denied are %q", denied)
		}
	})
}
