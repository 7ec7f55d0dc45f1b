package main

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/wire"
)

// audience is gates that poll, each on a connection of its own, as the engine
// asks them to.
type audience struct {
	bed   *gateBed
	lines []*line
	done  atomic.Bool
	group sync.WaitGroup

	answers atomic.Int64
	mu      sync.Mutex
	heard   map[string][]time.Time // when each gate heard of a change
	failed  error
}

// listen has n gates poll until stop, and answers once they have settled.
func (b *gateBed) listen(n int) *audience {
	a := &audience{bed: b, lines: b.lines(n), heard: make(map[string][]time.Time)}
	for i, l := range a.lines {
		a.group.Go(func() {
			time.Sleep(2 * time.Second * time.Duration(i) / time.Duration(n))
			if err := a.poll(l, fmt.Sprint("gate-", i)); err != nil {
				a.mu.Lock()
				defer a.mu.Unlock()
				a.failed = err
			}
		})
	}
	time.Sleep(3*time.Second + min(time.Duration(n)*10*time.Millisecond, 5*time.Second))
	return a
}

func (a *audience) stop() {
	a.done.Store(true)
	a.group.Wait()
	hangUp(a.lines)
	a.bed.t.must(a.failed)
}

func (a *audience) poll(l *line, name string) error {
	question := wire.Poll{Gate: name, Run: "bench", Nonce: "n"}
	for !a.done.Load() {
		status, body, err := l.send(a.bed.client.request(http.MethodPost, gateMount+"/gate/changes", question))
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("a poll was answered %d %.200s, %v", status, body, err)
		}
		at := time.Now()
		var answer wire.Changes
		if err := data(body, &answer); err != nil {
			return err
		}
		question.Cursor, question.Wait = answer.Cursor, answer.Wait
		a.answers.Add(1)
		a.note(answer.Changes, at)
	}
	return nil
}

func (a *audience) note(changes []string, at time.Time) {
	if len(changes) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, change := range changes {
		a.heard[change] = append(a.heard[change], at)
	}
}

// reach measures what gates cost while nothing changes, and how long it takes
// until all of them have heard of a revocation, from the answer to it on.
func reach(t *runner, p gatePlan) {
	b := newGateBed(t, p)
	idle := newListing("Gates on one mount while nothing changes",
		"gates", "calls/s", "core-ms a call", "Vault cores", "plugin cores", "this program's cores")
	told := newListing("How long after the answer to a revocation gates hear of it, ms",
		"gates", "revocations", "p50", "p99", "max", "all of them, median", "the revocation itself")
	for _, n := range p.crowds {
		a := b.listen(n)
		idle.line(append([]string{fmt.Sprint(n)}, a.idle()...)...)
		quiet := time.Second + time.Duration(n)*10*time.Millisecond
		told.line(append([]string{fmt.Sprint(n), "each after a quiet time"}, a.revoke(b.keys(p.revoked/3), quiet)...)...)
		told.line(append([]string{fmt.Sprint(n), "one a second"}, a.stream(b.keys(p.revoked), time.Second)...)...)
		a.stop()
	}
	idle.Flush()
	told.Flush()
}

// keys are new ones, which no gate has asked about.
func (b *gateBed) keys(n int) (ids []string) {
	for range n {
		made := b.server.Expect(b.t, http.StatusOK, http.MethodPost, gateMount+"/issue/plain", map[string]any{"owner": "acme"})
		id, _ := made.Data()["key_id"].(string)
		ids = append(ids, id)
	}
	return ids
}

// idle is what the gates cost while nothing changes: calls a second, and cores
// of Vault, of the plugin and of this program.
func (a *audience) idle() (columns []string) {
	vault, plugin := a.bed.servers()
	all := []process{vault, plugin, self()}
	used := make([]float64, len(all))
	for i, p := range all {
		used[i] = -a.bed.effort([]process{p}).Seconds()
	}
	calls, began := a.answers.Load(), time.Now()
	time.Sleep(a.bed.plan.idle)
	seconds := time.Since(began).Seconds()
	rate := float64(a.answers.Load()-calls) / seconds
	for i, p := range all {
		used[i] = (used[i] + a.bed.effort([]process{p}).Seconds()) / seconds
	}
	columns = []string{short(rate), short(1000 * (used[0] + used[1]) / rate)}
	for _, cores := range used {
		columns = append(columns, fmt.Sprintf("%.3f", cores))
	}
	return columns
}

// revoke ends keys, each after a time in which nothing changed.
func (a *audience) revoke(ids []string, quiet time.Duration) (columns []string) {
	var l lags
	for _, id := range ids {
		time.Sleep(quiet)
		l.add(a, id, a.end(id, &l))
	}
	return l.columns()
}

// stream ends keys at an even rate.
func (a *audience) stream(ids []string, gap time.Duration) (columns []string) {
	var l lags
	ended := make(map[string]time.Time)
	began := time.Now()
	for i, id := range ids {
		time.Sleep(time.Until(began.Add(time.Duration(i) * gap)))
		ended[id] = a.end(id, &l)
	}
	for _, id := range ids {
		l.add(a, id, ended[id])
	}
	return l.columns()
}

func (a *audience) end(id string, l *lags) (answered time.Time) {
	began := time.Now()
	a.bed.server.Expect(a.bed.t, http.StatusOK, http.MethodPost, gateMount+"/revoke/"+id, nil)
	answered = time.Now()
	l.took = append(l.took, ms(answered.Sub(began)))
	return answered
}

// lags are how long after its answer gates heard of a change, in ms: each, and
// the last one of each change.
type lags struct{ each, last, took []float64 }

func (l *lags) add(a *audience, id string, answered time.Time) {
	most := 0.0
	for _, at := range a.all(wire.Name(wire.KeyKind, id)) {
		// Some hear of it before who revoked has the answer.
		lag := max(0, ms(at.Sub(answered)))
		l.each, most = append(l.each, lag), max(most, lag)
	}
	l.last = append(l.last, most)
}

func (l *lags) columns() []string {
	slices.Sort(l.each)
	at := func(q float64) string { return short(l.each[min(len(l.each)-1, int(q*float64(len(l.each))))]) }
	return []string{at(0.5), at(0.99), at(1), short(median(l.last)), short(median(l.took))}
}

// all waits until each gate has heard of a change, and answers when each did.
func (a *audience) all(change string) []time.Time {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		a.mu.Lock()
		heard := slices.Clone(a.heard[change])
		err := a.failed
		a.mu.Unlock()
		a.bed.t.must(err)
		if len(heard) >= len(a.lines) {
			return heard
		}
		if time.Now().After(deadline) {
			a.bed.t.Fatalf("of %d gates %d have heard of a change", len(a.lines), len(heard))
		}
	}
}
