package main

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// rival is one way to have keys decided about.
type rival struct {
	name string
	// dial answers a connection of each of so many callers.
	dial func(callers int) []asker
	// Whose processor time is its own: of what is in front, and of what decides.
	front, decides []process
	holders        []holder // that it is asked about; nil for those of the others
	turns          []turn
	busy           int64 // requests that were refused as busy, in all turns
}

// turn is what came of a slice of time: requests a second, and the processor time of
// each, in µs, of what is in front, of what decides, and of this program.
type turn struct{ rate, front, decides, load float64 }

// crowded is how often which key is asked for: each caller's own order of keys.
type crowded struct {
	name    string
	holders []holder
	pick    func(r *rand.Rand) func() int
}

// evenly asks for all of them equally often.
func evenly(name string, holders []holder) crowded {
	return crowded{name, holders, func(r *rand.Rand) func() int { return func() int { return r.IntN(len(holders)) } }}
}

// byZipf asks for few of them often and for most of them seldom.
func byZipf(name string, holders []holder) crowded {
	return crowded{name, holders, func(r *rand.Rand) func() int {
		z := rand.NewZipf(r, 1.1, 1, uint64(len(holders)-1))
		return func() int { return int(z.Uint64()) }
	}}
}

// compete lets rivals take turns in a closed loop, after each had a first one that
// does not count.
func (s *site) compete(callers int, of crowded, rivals ...*rival) {
	asking := make([][]asker, len(rivals))
	for i, r := range rivals {
		asking[i], r.turns, r.busy = r.dial(callers), nil, 0
		defer s.leave(asking[i])
		s.turn(r, asking[i], of, s.plan.doors.slice/3)
	}
	for round := range s.plan.doors.rounds {
		for at := range rivals {
			i := (at + round) % len(rivals)
			rivals[i].turns = append(rivals[i].turns, s.turn(rivals[i], asking[i], of, s.plan.doors.slice))
		}
	}
}

func (s *site) leave(asking []asker) {
	for _, a := range asking {
		a.Close()
	}
}

// turn has as many callers as there are connections ask for a time, each of them
// again as soon as it has its answer.
func (s *site) turn(r *rival, asking []asker, of crowded, slice time.Duration) turn {
	if r.holders != nil {
		of = evenly(of.name, r.holders)
	}
	groups := [][]process{r.front, r.decides, {self()}}
	var used [3]time.Duration
	for i, g := range groups {
		used[i] = -s.effort(g)
	}
	began := time.Now()
	done, busy := s.loop(r.name, asking, of, func() bool { return time.Since(began) < slice })
	r.busy += busy
	n := float64(max(1, done))
	took := time.Since(began)
	each := func(i int) float64 { return float64((used[i] + s.effort(groups[i])).Nanoseconds()) / 1000 / n }
	return turn{rate: n / took.Seconds(), front: each(0), decides: each(1), load: each(2)}
}

// loop has each connection ask while there is time, and answers how often all had an
// answer, and how often one was refused as busy.
func (s *site) loop(name string, asking []asker, of crowded, more func() bool) (done, busy int64) {
	var yes, no atomic.Int64
	var failed sync.Map
	var group sync.WaitGroup
	for i, a := range asking {
		group.Go(func() {
			next, n := of.pick(rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))), int64(0)
			for more() {
				err := a.ask(&of.holders[next()])
				if err == errBusy {
					no.Add(1)
					continue
				}
				if err != nil {
					failed.Store(i, err)
					break
				}
				n++
			}
			yes.Add(n)
		})
	}
	group.Wait()
	failed.Range(func(_, err any) bool {
		s.t.Fatalf("%s: %v", name, err)
		return false
	})
	return yes.Load(), no.Load()
}

// warm has the gate asked about each key once, by some callers that ask again where
// it is busy: what it does not know it has to ask Vault for.
func (s *site) warm(r *rival, holders []holder) {
	asking := r.dial(128)
	defer s.leave(asking)
	var index atomic.Int64
	var group sync.WaitGroup
	failed := make(chan error, len(asking))
	for _, a := range asking {
		group.Go(func() {
			for i := index.Add(1) - 1; i < int64(len(holders)); i = index.Add(1) - 1 {
				if err := patiently(a, &holders[i]); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-failed:
		s.t.Fatalf("%s: %v", r.name, err)
	default:
	}
}

// patiently asks again for as long as a minute where it is busy.
func patiently(a asker, h *holder) error {
	for until := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := a.ask(h)
		if err != errBusy || time.Now().After(until) {
			return err
		}
	}
}
