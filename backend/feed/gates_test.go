package feed_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/feed"
	"vault-plugin-secrets-apikeys/backend/wire"
)

func (w *world) shows(name, run string) (is feed.Run) {
	w.Helper()
	gate, _, err := w.feed.Gate(name)
	if err != nil {
		w.Error(err)
	}
	return gate.Runs[run]
}

func TestAGateShowsWhatItHasHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		born := w.Now()
		time.Sleep(time.Minute)
		g := w.gate("edge")
		g.poll.MaxStaleness, g.poll.StaleGrace = 10_000, 3_600_000
		if is := w.shows("edge", "edge.1"); is.Acknowledged != "" || is.Current {
			t.Errorf("one that has heard nothing shows %+v", is)
		}
		for name, tell := range map[string]func(){
			"a change": func() { w.revoke("a") },
			"a reset":  func() { w.feed.Reset() },
		} {
			first := g.poll.Cursor
			g.ask(0)
			if is := w.shows("edge", "edge.1"); is.Acknowledged != first || !is.Current || is.LastPolledAt != w.Now() || is.MaxStaleness != 10*time.Second || is.StaleGrace != time.Hour {
				t.Errorf("before %s it shows %+v", name, is)
			}
			tell()
			if is := w.shows("edge", "edge.1"); is.Current {
				t.Errorf("%s was heard before it was asked for", name)
			}
			g.ask(0)
			if is := w.shows("edge", "edge.1"); is.Current {
				t.Errorf("%s counts as heard before the gate said so", name)
			}
			g.ask(0)
		}
		w.feed.Mention(wire.KeyKind, "renewed")
		if is := w.shows("edge", "edge.1"); !is.Current {
			t.Error("a renewal is missing to it")
		}
		second := &gate{w, wire.Poll{Gate: "edge", Run: "edge.2", Nonce: "n"}}
		second.ask(0)
		if is, found, err := w.feed.Gate("edge"); !found || err != nil || len(is.Runs) != 2 || is.Since != born {
			t.Errorf("two of one name are %+v", is)
		}
	})
}

func TestAGateThatHasGoneIsShownForTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.gate("gone")
		time.Sleep(9 * time.Minute)
		g := w.gate("edge")
		if names, err := w.feed.Gates(); !slices.Equal(names, []string{"edge", "gone"}) || err != nil {
			t.Errorf("the gates are %q, %v", names, err)
		}
		if answer := g.ask(0); answer.Gates != 1 {
			t.Errorf("%d gates count as there", answer.Gates)
		}
		time.Sleep(time.Minute + time.Second)
		if names, _ := w.feed.Gates(); !slices.Equal(names, []string{"edge"}) {
			t.Errorf("then the gates are %q", names)
		}
		if _, found, _ := w.feed.Gate("gone"); found {
			t.Error("it is shown for longer")
		}
	})
}

func TestTheEngineAsksManyGatesToWaitLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.gate("edge-0")
		for n, want := range map[int]int64{1: 1000, 100: 1000, 200: 2000, 500: 5000, 1000: 5000} {
			time.Sleep(time.Hour)
			for i := range n {
				w.feed.Poll(t.Context(), wire.Poll{Gate: fmt.Sprint("edge-", i), Run: "r"})
			}
			g.poll.Run = "r"
			if answer := g.ask(0); answer.Gates != n || answer.Wait != want {
				t.Errorf("with %d gates it counts %d and asks for %d", n, answer.Gates, answer.Wait)
			}
		}
	})
}

// However many processes say that they are gates, few are remembered, and one that polls
// is among them.
func TestTheGatesThatAreRememberedAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 4096
		w := newWorld(t)
		g := w.gate("edge")
		for n := range most + 1000 {
			if n%500 == 0 {
				time.Sleep(time.Second)
				g.ask(0)
			}
			w.feed.Poll(t.Context(), wire.Poll{Gate: "flood", Run: fmt.Sprint(n)})
		}
		is, _, err := w.feed.Gate("flood")
		if len(is.Runs) != most-1 || err != nil {
			t.Errorf("%d are remembered", len(is.Runs))
		}
		if !w.shows("edge", "edge.1").Current {
			t.Error("one that polls was forgotten")
		}
		if answer := g.ask(0); answer.Gates != most {
			t.Errorf("%d count as there", answer.Gates)
		}
	})
}
