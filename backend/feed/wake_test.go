package feed_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/wire"
)

func TestALoneChangeIsToldSoonAndWithThoseThatFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g, other := w.gate("edge"), w.gate("other")
		for range 3 {
			answer, too := g.later(time.Second), other.later(time.Second)
			time.Sleep(300 * time.Millisecond)
			w.revoke("a")
			time.Sleep(3 * time.Millisecond)
			w.revoke("b", "c")
			for _, answer := range []func() (wire.Changes, time.Duration){answer, too} {
				got, took := answer()
				if !slices.Equal(got.Changes, []string{"key:a", "key:b", "key:c"}) || took > 320*time.Millisecond || got.Waited != took.Milliseconds() {
					t.Errorf("after %v it was told %+v", took, got)
				}
			}
		}
	})
}

func TestAPollWithoutAnythingToTellIsAnsweredWhenItsTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.gate("edge")
		for _, wait := range []time.Duration{0, time.Millisecond, time.Second, 5 * time.Second} {
			got, took := g.later(wait)()
			if took != wait || got.Waited != wait.Milliseconds() || len(got.Changes) > 0 || got.Reset || got.Now != time.Now().UnixMilli() {
				t.Errorf("a poll of %v was answered after %v: %+v", wait, took, got)
			}
		}
	})
}

func TestWhatIsMentionedWakesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.gate("edge")
		answer := g.later(time.Second)
		synctest.Wait()
		w.feed.Mention(wire.KeyKind, "renewed")
		if got, took := answer(); took != time.Second || !slices.Equal(got.Changes, []string{"key:renewed"}) {
			t.Errorf("after %v it was told %+v", took, got)
		}
		w.feed.Mention(wire.KeyKind, "between two polls")
		answer = g.later(time.Second)
		time.Sleep(time.Millisecond)
		w.revoke("a")
		if got, took := answer(); took > 21*time.Millisecond || !slices.Equal(got.Changes, []string{"key:between two polls", "key:a"}) {
			t.Errorf("after %v it was told %+v", took, got)
		}
	})
}

// In a stream of changes each gate is answered no more often than each 5 ms × gates, and
// no later than that, or than its poll waits; and it misses nothing.
func TestAStreamOfChangesIsToldAtAPace(t *testing.T) {
	for _, gates := range []int{1, 20, 200} {
		t.Run(fmt.Sprint(gates), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				pace := time.Duration(gates) * 5 * time.Millisecond
				all := make([]*gate, gates)
				for i := range all {
					all[i] = w.gate(fmt.Sprint("edge-", i))
				}
				stop, answers := time.Now().Add(10*time.Second), make([]int, gates)
				var polls sync.WaitGroup
				for i, g := range all {
					polls.Go(func() {
						next := 0
						for last := time.Now().Add(-time.Hour); time.Now().Before(stop); answers[i]++ {
							got := g.ask(4 * time.Second)
							if since := time.Since(last); since < pace || since > max(pace, 15*time.Millisecond) && answers[i] > 0 {
								t.Errorf("it was answered %v after the last time", since)
							}
							last = time.Now()
							for _, change := range got.Changes {
								if change != fmt.Sprint("key:", next) {
									t.Errorf("change %d is %s", next, change)
								}
								next++
							}
							time.Sleep(time.Duration(rand.IntN(int(pace)))) // on its way, for less than the pace
						}
					})
				}
				go func() {
					for n := 0; time.Now().Before(stop.Add(time.Minute)); n++ {
						w.revoke(fmt.Sprint(n))
						time.Sleep(time.Millisecond)
					}
				}()
				polls.Wait()
				if sum := 0; true {
					for _, n := range answers {
						sum += n
					}
					if sum > 2000+2*gates || sum < 500 {
						t.Errorf("%d gates were answered %d times in 10 s", gates, sum)
					}
				}
				time.Sleep(2 * time.Minute)
			})
		})
	}
}

func TestOnlySoManyPollsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 4096
		w := newWorld(t)
		g := w.gate("edge")
		g.poll.Wait = 1000
		var polls sync.WaitGroup
		for range most {
			polls.Go(func() {
				if _, err := w.feed.Poll(t.Context(), g.poll); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if _, took := g.later(time.Second)(); took != 0 {
			t.Errorf("the next waits for %v", took)
		}
		if _, took := w.gate("newcomer").later(0)(); took != 0 {
			t.Errorf("and keep one who begins from it for %v", took)
		}
		time.Sleep(time.Second)
		polls.Wait()
		if _, took := g.later(time.Second)(); took != time.Second {
			t.Errorf("then one waits for %v", took)
		}
	})
}

// Many tell and many ask at once: nobody is ever told of less than all.
func TestNoChangeIsEverLost(t *testing.T) {
	t.Parallel()
	const tellers, each = 8, 2000
	w := newWorld(t)
	var all []*gate
	for i := range 4 {
		all = append(all, w.gate(fmt.Sprint("edge-", i)))
	}
	var telling, asking sync.WaitGroup
	for teller := range tellers {
		telling.Go(func() {
			for n := range each {
				if n%3 == 0 {
					w.feed.Mention(wire.KeyKind, fmt.Sprint(teller, ".", n))
				} else {
					w.revoke(fmt.Sprint(teller, ".", n))
				}
			}
		})
	}
	for _, g := range all {
		asking.Go(func() {
			heard := make(map[string]bool)
			for begun := time.Now(); len(heard) < tellers*each; {
				answer := g.ask(20 * time.Millisecond)
				if answer.Reset || time.Since(begun) > 30*time.Second {
					t.Errorf("it heard of %d changes, reset: %t", len(heard), answer.Reset)
					return
				}
				for _, change := range answer.Changes {
					heard[change] = true
				}
			}
		})
	}
	telling.Wait()
	asking.Wait()
}
