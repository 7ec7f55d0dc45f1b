package edge

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// Reserver reserves units of quotas at the engine.
type Reserver interface {
	Reserve(ctx context.Context, role string, r wire.Reserve) (wire.Grants, error)
}

const (
	// reserveTime bounds how long an answer is waited for. It may still come, and its
	// blocks are lost then.
	reserveTime = 5 * time.Second
	// reservePause is between two calls for a role. What comes up meanwhile goes into the
	// next one.
	reservePause = time.Millisecond
	// reserveAgain is after how long a call that failed is followed by another.
	reserveAgain = 100 * time.Millisecond
	// idleBlock is after how long without a use a block goes back.
	idleBlock  = 2 * time.Second
	idleChecks = idleBlock / 4
)

// Quotas borrow units of quotas from the engine, for the meter of a gate. At any time
// there is one call for each role, of as many keys as have something to ask.
type Quotas struct {
	Meter *limit.Meter
	up    Reserver
	who   wire.Reserve
	// doubt is told of keys that the engine will not lend units of: what is known of them
	// here is not so any more.
	doubt func(id string)

	mu    sync.Mutex
	lanes map[string]*lane // by role
	lost  int64            // units that were given back to nobody
}

// lane is what is to be asked about keys of one role.
type lane struct {
	calling bool
	failed  bool   // the last call
	last    string // a key that was asked about
	asks    map[string]wire.Want
	returns []wire.Want
	idle    chan struct{} // closed when there is nothing more to ask
}

// NewQuotas makes what borrows for a run of a gate. now is the engine's time, and patience
// how long a request waits for units.
func NewQuotas(up Reserver, gate, run string, now func() record.Time, patience func() time.Duration, doubt func(id string)) *Quotas {
	q := &Quotas{up: up, who: wire.Reserve{Gate: gate, Run: run}, doubt: doubt, lanes: make(map[string]*lane)}
	q.Meter = limit.NewBorrower(q, now, patience)
	return q
}

// Ask, Return and Answers are those of limit.Source.

// Ask has units asked for.
func (q *Quotas) Ask(role, id string, need, units int64) {
	q.begin(role, func(l *lane) { l.asks[id] = wire.Want{KeyID: id, Need: need, Units: units} })
}

// Return has units given back.
func (q *Quotas) Return(role, id string, loan, units int64) {
	q.begin(role, func(l *lane) {
		l.returns = append(l.returns, wire.Want{KeyID: id, Window: loan, GiveBack: units})
	})
}

// Answers tells whether the last call for a role was answered.
func (q *Quotas) Answers(role string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lanes[role]
	return l == nil || !l.failed
}

// Spent is told that somebody looks for units of a key's quota: what is held here goes
// back.
func (q *Quotas) Spent(ctx context.Context, id string) { _ = q.Meter.GiveBack(ctx, id) }

// Run gives back blocks that nobody uses, until ctx ends. Those of a role about which the
// engine does not answer stay, and it is asked whether it does: what is given back in vain
// is lost.
func (q *Quotas) Run(ctx context.Context) {
	checks := time.NewTicker(idleChecks)
	defer checks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-checks.C:
		}
		q.probe()
		_ = q.Meter.Settle(ctx, idleBlock) // which only queues
	}
}

// Close gives back all that is held, and waits for that until ctx ends. Nobody spends any
// more.
func (q *Quotas) Close(ctx context.Context) error {
	for {
		if err := q.Meter.Settle(ctx, 0); err != nil {
			return err
		}
		idle := q.busy()
		if idle == nil {
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// begin adds to what is to be asked, and sees to it that it is.
func (q *Quotas) begin(role string, add func(*lane)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lanes[role]
	if l == nil {
		l = &lane{asks: make(map[string]wire.Want)}
		q.lanes[role] = l
	}
	add(l)
	q.start(role, l)
}

func (q *Quotas) start(role string, l *lane) {
	if !l.calling {
		l.calling, l.idle = true, make(chan struct{})
		go q.call(role, l)
	}
}

// probe asks again where the last call failed.
func (q *Quotas) probe() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for role, l := range q.lanes {
		if !l.failed {
			continue
		}
		if _, asked := l.asks[l.last]; !asked {
			l.asks[l.last] = wire.Want{KeyID: l.last}
		}
		q.start(role, l)
	}
}

func (q *Quotas) busy() (idle chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.lanes {
		if l.calling {
			return l.idle
		}
	}
	return nil
}

// call asks until there is nothing more to ask.
func (q *Quotas) call(role string, l *lane) {
	for {
		want, asks := q.next(l)
		if want == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), reserveTime)
		r, sent := q.who, time.Now()
		r.Nonce, r.Want = rand.Text(), want
		answer, err := q.up.Reserve(ctx, role, r)
		cancel()
		failed := err != nil || own(answer.Nonce, r.Nonce) != nil || len(answer.Grants) != len(want)
		q.mu.Lock()
		l.failed, l.last = failed, want[len(want)-1].KeyID
		for i := 0; failed && i < asks; i++ {
			q.lost += want[i].GiveBack
		}
		q.mu.Unlock()
		for i := asks; i < len(want); i++ { // what stands before was given back
			if failed {
				q.Meter.Credit(want[i].KeyID, limit.Answer{Err: limit.ErrSilent})
			} else {
				q.credit(want[i], answer.Grants[i], sent)
			}
		}
		pause := reservePause
		if failed {
			pause = reserveAgain
		}
		time.Sleep(pause)
	}
}

// next is what to ask next: first what goes back, so that it can be lent again. asks is
// where the questions begin.
func (q *Quotas) next(l *lane) (want []wire.Want, asks int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	asks = min(len(l.returns), wire.MaxNames)
	want, l.returns = append(want, l.returns[:asks]...), l.returns[asks:]
	for id, w := range l.asks {
		if len(want) == wire.MaxNames {
			break
		}
		want = append(want, w)
		delete(l.asks, id)
	}
	if want == nil {
		l.calling = false
		close(l.idle)
	}
	return want, asks
}

// measure tells what is borrowed, and what was lost of that.
func (q *Quotas) measure(tell func(figure string, value float64, labels ...string)) {
	q.Meter.Measure(tell)
	q.mu.Lock()
	defer q.mu.Unlock()
	tell("quota_units_lost_total", float64(q.lost))
}

func (q *Quotas) credit(w wire.Want, g wire.Grant, sent time.Time) {
	a := limit.Answer{
		Loan:  limit.Loan{Granted: g.Granted, Name: g.Window, Ends: g.WindowEnds, Remaining: g.Remaining},
		Asked: sent,
		Unmet: g.Granted < w.Need,
	}
	if g.Code != "" {
		q.doubt(w.KeyID)
	}
	if g.Code != "" || g.Error != "" {
		a = limit.Answer{Err: limit.ErrSilent}
	}
	q.Meter.Credit(w.KeyID, a)
}
