package polls

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

// Event is how a node ceases to be active.
type Event string

// The events.
const (
	StepDown Event = "step-down"
	Seal     Event = "seal"
)

// Way is how polls reach the active node.
type Way string

// The ways.
const (
	Direct    Way = "asked directly"
	Redirect  Way = "redirected by a standby"
	Forwarded Way = "forwarded by a standby"
)

// Ways are all.
var Ways = []Way{Direct, Redirect, Forwarded}

// Towards is the crowd that reaches the active node of a cluster this way.
func (c Crowd) Towards(t testing.TB, cluster *harness.Cluster, way Way) Crowd {
	t.Helper()
	active, standbys := cluster.Active(t).Address(), []string{}
	for _, s := range cluster.Standbys(t) {
		standbys = append(standbys, s.Address())
	}
	c.Straight = way == Redirect
	c.Addresses, c.Doors = append(standbys, active), len(standbys)
	if way == Direct {
		c.Addresses, c.Doors = append([]string{active}, standbys...), 1
	}
	return c
}

// Outcome is what an event in a cluster took, from the request for it on.
type Outcome struct {
	Frozen  time.Duration // the longest answer of sys/health of the node that was active
	Led     time.Duration // until another node was active
	Heard   time.Duration // until that had answered each gate
	Missing int           // gates that it had not answered after a minute
	Polls   []Poll        // that ended meanwhile
}

// Clock clocks an event in a cluster, while these gates poll; park is nil for none. Afterwards the cluster is whole.
func Clock(t testing.TB, c *harness.Cluster, event Event, park func() *Gates) (o Outcome) {
	t.Helper()
	active, standbys, gates := parked(t, c, park)
	before := len(gates.Ended())
	began := time.Now()
	frozen, led := watchFrozen(active), watchLed(standbys)
	active.Expect(t, http.StatusNoContent, http.MethodPut, "sys/"+string(event), nil)
	o.Led = (<-led).Sub(began)
	time.Sleep(time.Second)
	for o.look(gates, before, began); o.Missing > 0 && time.Since(began) < time.Minute; o.look(gates, before, began) {
		time.Sleep(100 * time.Millisecond)
	}
	o.Frozen = frozen()
	if gates != nil {
		gates.Stop()
	}
	c.Rejoin(t, active)
	return o
}

// parked is the cluster once all gates wait. On a machine that is busy a node may cease to be active by itself: then they
// begin anew.
func parked(t testing.TB, c *harness.Cluster, park func() *Gates) (active *harness.Server, standbys []*harness.Server, gates *Gates) {
	t.Helper()
	for {
		active, standbys = c.Active(t), c.Standbys(t)
		if park == nil {
			return active, standbys, nil
		}
		gates = park()
		gates.settle(t)
		if c.Active(t) == active {
			return active, standbys, gates
		}
		gates.Stop()
	}
}

// settle waits until every poll is parked, and those of all gates are spread over the wait.
func (g *Gates) settle(t testing.TB) {
	t.Helper()
	harness.Eventually(t, time.Minute, "wait for each gate to poll twice", func() error {
		answered := make(map[int]int)
		for _, p := range g.Ended() {
			if p.Status == http.StatusOK {
				answered[p.Gate]++
			}
		}
		for i := range g.count {
			if answered[i] < 2 {
				return errUnsettled
			}
		}
		return nil
	})
}

// look tells which gates have heard of a higher term since the event.
func (o *Outcome) look(g *Gates, before int, began time.Time) {
	o.Missing, o.Heard = 0, 0
	if g == nil {
		return
	}
	all := g.Ended()
	o.Polls = all[before:]
	var old uint64
	for _, p := range all[:before] {
		old = max(old, p.Term)
	}
	first := make(map[int]time.Duration)
	for _, p := range o.Polls {
		if _, known := first[p.Gate]; p.Status == http.StatusOK && p.Term > old && !known {
			first[p.Gate] = p.Ended().Sub(began)
			o.Heard = max(o.Heard, first[p.Gate])
		}
	}
	o.Missing = g.count - len(first)
}

// watchFrozen asks a node for its health again and again, and answers the longest that this took.
func watchFrozen(s *harness.Server) (longest func() time.Duration) {
	var group sync.WaitGroup
	var most time.Duration
	done := make(chan struct{})
	group.Go(func() {
		for {
			began := time.Now()
			health(s)
			most = max(most, time.Since(began))
			select {
			case <-done:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	return func() time.Duration {
		close(done)
		group.Wait()
		return most
	}
}

// watchLed tells when the first of these nodes is active.
func watchLed(nodes []*harness.Server) <-chan time.Time {
	led := make(chan time.Time, len(nodes))
	deadline := time.Now().Add(time.Minute)
	for _, s := range nodes {
		go func() {
			for health(s) != http.StatusOK && len(led) == 0 && time.Now().Before(deadline) {
				time.Sleep(10 * time.Millisecond)
			}
			led <- time.Now()
		}()
	}
	return led
}

func health(s *harness.Server) int {
	response, err := (&http.Client{Timeout: time.Minute}).Get(s.Address() + "/v1/sys/health")
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}
