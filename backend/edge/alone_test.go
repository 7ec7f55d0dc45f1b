package edge

import (
	"fmt"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// TestAMirrorThatNobodyAsksAsksLittle counts what a mirror asks with many keys of many
// owners held, of which it learned at once, and looks how long ago each was confirmed.
func TestAMirrorThatNobodyAsksAsksLittle(t *testing.T) {
	const keys, owners, watched = 10_000, 2000, time.Hour
	in(t, Settings{Roles: []string{"web"}}, func(w *world) {
		for i := range keys {
			_, text := w.issue(func(k *record.Key) { k.Owner = fmt.Sprint("owner-", i%owners) })
			w.want(text, "valid")
		}
		time.Sleep(11 * time.Second) // until its uses are reported
		calls := func() (n int) {
			w.set(func() { n = len(w.polls) + len(w.asked) + len(w.known) })
			return n
		}
		before, begun, oldest := calls(), time.Now(), time.Duration(0)
		for time.Since(begun) < watched {
			time.Sleep(10 * time.Second)
			age := func(s *state) { oldest = max(oldest, w.now()-time.Duration(s.confirmed.Load())) }
			w.held.keys.Each(func(_ string, e *entry[record.Key]) { age(&e.state) })
			w.held.owners.Each(func(_ string, e *entry[record.Owner]) { age(&e.state) })
			w.held.roles.Each(func(_ string, e *entry[record.Role]) { age(&e.state) })
		}
		each := float64(calls()-before) / watched.Seconds()
		if each > 1.05 || each < 0.3 {
			t.Errorf("it asks %.3f times a second", each)
		}
		if oldest > confirmWithin {
			t.Errorf("something was not confirmed for %v", oldest)
		}
		t.Logf("it asks %.3f times a second, and nothing was not confirmed for longer than %v", each, oldest.Round(time.Second))
	})
}
