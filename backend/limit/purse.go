package limit

import (
	"context"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// purse is what a gate has borrowed of a key's quota.
//
// A loan ends by the lender's time and, so that no clock makes it last, by how long it was
// held. It was made for a quota, and is given back when that is another: so a lowered one
// voids what is out.
type purse struct {
	meter *Meter
	id    string
	role  string
	quota int64 // and its period: that it was lent under
	every record.Seconds

	loans []coin // oldest first
	left  int64  // of all of them
	size  int64  // of the newest
	used  pace

	asked   *later // the question that is under way
	waiting int64  // units that somebody waits for since the last one left

	// What the lender said of this window.
	window window
	told   bool
	rest   int64 // what remained there
	// unmet is until when its word that there is not enough is repeated: units may come
	// back to it from others.
	unmet time.Duration
}

// coin is a loan as it is held.
type coin struct {
	name, left int64
	ends       record.Time
	until      time.Duration
}

const (
	// believeFor is how long a refusal is repeated without asking again.
	believeFor = 500 * time.Millisecond
	// worthwhile is from how many units in a stretch on a block is borrowed ahead: one that
	// is used less is given back before it is used again.
	worthwhile = 15
)

// fits is that of holding.
func (p *purse) fits(_ context.Context, line Line, cost int64, take bool, now record.Time) (bool, error) {
	p.settle(line, now)
	switch {
	case p.left >= cost:
		return true, nil
	case cost > p.quota: // it never will
		return false, nil
	case !take || p.meter.now() < p.unmet && cost > p.left+p.rest:
		return p.left+p.rest >= cost, nil
	}
	if p.asked == nil {
		p.ask(cost-p.left, p.waiting+cost)
		p.waiting = 0
	}
	p.waiting += cost
	return false, p.asked
}

// remaining is that of holding.
func (p *purse) remaining(_ context.Context, line Line, now record.Time) (int64, error) {
	p.settle(line, now)
	if p.told {
		return p.left + p.rest, nil
	}
	if p.asked == nil {
		p.ask(0, 0)
	}
	return 0, p.asked
}

// spend is that of holding. The next block is asked for when half of this one is left, so
// that nobody waits for it.
func (p *purse) spend(cost int64, _ record.Time) {
	at := p.meter.now()
	p.left -= cost
	p.meter.units.Add(-cost)
	p.used.add(cost, at)
	for cost > 0 {
		c := &p.loans[0]
		part := min(cost, c.left)
		c.left, cost = c.left-part, cost-part
		if c.left == 0 {
			p.drop()
		}
	}
	if p.asked == nil && p.size > 1 && p.left*2 <= p.size && p.rest > 0 && p.used.lately(at) >= worthwhile {
		p.ask(0, 0)
	}
}

// ask asks for what is needed and wanted, and for as much as was used lately.
func (p *purse) ask(need, units int64) {
	p.asked = &later{done: make(chan struct{})}
	if ahead := p.used.lately(p.meter.now()); ahead >= worthwhile {
		units += ahead
	}
	p.meter.source.Ask(p.role, p.id, need, units)
}

// credit takes an answer in.
func (p *purse) credit(a Answer) {
	if p.asked == nil {
		return
	}
	p.asked.err = a.Err
	close(p.asked.done) // who waits for that needs the lock next
	p.asked = nil
	if a.Err != nil || a.Ends != 0 && a.Ends <= p.meter.clock() {
		return // of a window that is over here by now, half a round trip earlier than there
	}
	p.told, p.rest = true, a.Remaining
	switch {
	case a.Unmet:
		p.unmet, p.waiting = p.meter.now()+believeFor, 0
	case a.Granted > 0:
		until := a.Asked.Sub(p.meter.start) + lendLife.Std()
		p.loans = append(p.loans, coin{a.Name, a.Granted, a.Ends, until})
		p.left, p.size = p.left+a.Granted, a.Granted
		p.meter.loans.Add(1)
		p.meter.units.Add(a.Granted)
	}
}

// settle drops what has ended, and gives back what was lent under another quota, or is
// used so slowly that it would end.
func (p *purse) settle(line Line, now record.Time) {
	if l := line.Limits; l.Quota != p.quota || l.QuotaPeriod != p.every {
		p.forget()
		p.role, p.quota, p.every = line.Role, l.Quota, l.QuotaPeriod
	}
	if w := windowOf(line.Limits, line.Created, now); w != p.window {
		p.window, p.told, p.rest, p.unmet = w, false, 0, 0
	}
	at := p.meter.now()
	for len(p.loans) > 0 {
		c := p.loans[0]
		over := now >= c.ends || at >= c.until
		if !over && at < c.until-lendLife.Std()/2 {
			return
		}
		if !over {
			p.meter.source.Return(p.role, p.id, c.name, c.left)
		}
		p.drop()
	}
}

// drop lets go of the oldest loan, with what is left of it.
func (p *purse) drop() {
	left := p.loans[0].left
	p.left, p.loans = p.left-left, p.loans[1:]
	p.meter.loans.Add(-1)
	p.meter.units.Add(-left)
}

// giveBack is that of holding.
func (p *purse) giveBack(context.Context) error {
	p.returnAll()
	return nil
}

func (p *purse) returnAll() {
	for len(p.loans) > 0 {
		c := p.loans[0]
		p.rest += c.left
		p.meter.source.Return(p.role, p.id, c.name, c.left)
		p.drop()
	}
	p.loans, p.size = nil, 0
}

func (p *purse) held() bool { return p.left > 0 }

func (p *purse) arrives() bool { return p.meter.source.Answers(p.role) }

func (p *purse) kept() bool { return p.left > 0 || p.asked != nil }

// forget gives back what is held, and knows nothing of the quota any more.
func (p *purse) forget() {
	p.returnAll()
	p.told, p.rest, p.unmet = false, 0, 0
}

// pace is how much was used in this stretch of time, and in the one before.
type pace struct {
	stretch     time.Duration // which one this is
	this, other int64
}

const stretch = 30 * time.Second

func (p *pace) add(n int64, at time.Duration) {
	p.move(at)
	p.this += n
}

// lately is how much was used in about the last stretch.
func (p *pace) lately(at time.Duration) int64 {
	p.move(at)
	left := stretch - at%stretch
	return p.this + int64(float64(p.other)*(float64(left)/float64(stretch)))
}

func (p *pace) move(at time.Duration) {
	switch now := at / stretch; now - p.stretch {
	case 0:
		return
	case 1:
		p.stretch, p.this, p.other = now, 0, p.this
	default:
		p.stretch, p.this, p.other = now, 0, 0
	}
}
