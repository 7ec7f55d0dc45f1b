package limit

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Loan is what was lent of one key's quota. It was reserved in storage before, so it is
// spent even if nobody spends it.
type Loan struct {
	Granted int64
	Name    int64 // by which it is given back, once
	// Ends is when it must not be spent any more. Of nothing granted, it is when the
	// quota refills, 0 if it never does.
	Ends      record.Time
	Remaining int64 // of the quota, without what was granted
}

// lendLife bounds how long a loan is spent from: half of it is what the borrower uses
// in the time that blocks are made for. Whoever asks what was spent before a moment, of
// windows of another length or after a crash, has to count what is out as not spent yet.
const lendLife record.Seconds = 60

// maxLoans bounds how many of a key's loans can be given back. An older one is lost then,
// as by a borrower that dies.
const maxLoans = 256

// huntEvery is how often the borrowers of one key's units are asked to give them back.
const huntEvery = time.Second

// lent is what is known of those that units were lent to. It is in memory only: a loan
// of an earlier process is spent by whoever holds it, and never given back. So a call
// that another process runs again gives back nothing twice.
type lent struct {
	loans    []loan // oldest first
	outUntil time.Duration
	hunted   time.Duration // when, and never at 0
}

type loan struct {
	name, units int64
	window      window
	at, ends    record.Time
}

// OnMiss has hunt told of each key whose quota has no room for what is asked, though
// units of it may be out: once in a second and key, under the lock of its counter, so
// that it must not wait.
func (m *Meter) OnMiss(hunt func(id string)) { m.ledger.hunt = hunt }

// Lend reserves units of a line's quota for somebody else: need, without which nothing is
// of use, and up to units of them ahead, in a block as this node takes them for itself.
// With neither it tells what remains.
func (m *Meter) Lend(ctx context.Context, line Line, need, units int64, now record.Time) (Loan, error) {
	c, err := m.hold(line.ID)
	if err != nil {
		return Loan{}, err
	}
	defer m.release(line.ID, c)
	return c.quota.(*block).lend(ctx, line, need, units, now)
}

// TakeBack makes units of a loan good again that were not spent. What is no loan of this
// process, or has ended, or was given back before, stays spent.
func (m *Meter) TakeBack(ctx context.Context, id string, name, units int64, now record.Time) error {
	c := m.lookUp(id)
	if c == nil {
		return nil
	}
	defer m.release(id, c)
	return c.quota.(*block).takeBack(ctx, name, units, now)
}

// lend gives up what is held here: it goes into the loan, or back.
func (b *block) lend(ctx context.Context, line Line, need, units int64, now record.Time) (Loan, error) {
	w := windowOf(line.Limits, line.Created, now)
	if err := b.read(ctx, w, now); err != nil {
		return Loan{}, err
	}
	remaining := b.unspent(line.Limits.Quota, w)
	if need > remaining {
		b.miss(now)
		return Loan{Remaining: remaining, Ends: w.end}, b.correct(ctx, w, now)
	}
	size := need
	if !b.frugal.Load() {
		ahead := blockSize(remaining)
		if need == 0 {
			ahead = max(1, ahead/2) // half of one is still held: a borrower that dies loses a block
		}
		size = min(max(need, min(units, ahead)), remaining)
	}
	if size == 0 {
		return Loan{Remaining: remaining, Ends: w.end}, nil
	}
	given := loan{newName(), size, w, now, w.lendUntil(now)}
	before, lent := b.stored.Total-b.left, max(given.ends, b.lentUntil(now))
	next := record.Quota{
		Total: before + size,
		By:    b.by,
		Until: max(lent, w.start+1),
		Lent:  lent,
		Marks: b.stored.Marked(record.Mark{At: b.settled, Total: before}, w.start),
	}
	b.left = 0 // before the write, as in reserve
	if err := b.write(ctx, next); err != nil {
		return Loan{}, err
	}
	b.settled = max(b.settled, next.Until)
	b.remember(given, now)
	b.blocks.Add(1)
	return Loan{size, given.name, given.ends, remaining - size}, nil
}

// newName makes the name of a loan. Nobody can guess one: who gives back what others were
// lent, and have spent, has it spent twice. JSON carries it as a number, exactly.
func newName() int64 {
	var random [8]byte
	_, _ = rand.Read(random[:]) // which never fails
	return 1 + int64(binary.BigEndian.Uint64(random[:])>>11)
}

// lendUntil is when a loan ends.
func (w window) lendUntil(now record.Time) record.Time {
	until := max(now, w.start).Add(lendLife)
	if w.end != 0 {
		until = min(until, w.end)
	}
	return until
}

// lentUntil is until when units may be spent by those that they were lent to. What a
// wrong clock wrote ends no later than any loan does.
func (b *block) lentUntil(now record.Time) record.Time {
	return min(b.stored.Lent, now.Add(lendLife))
}

func (b *block) remember(given loan, now record.Time) {
	b.loans = slices.DeleteFunc(b.loans, func(l loan) bool { return now >= l.ends })
	if len(b.loans) == maxLoans {
		b.loans = slices.Delete(b.loans, 0, 1)
	}
	b.loans = append(b.loans, given)
	b.outUntil = b.now() + lendLife.Std()
}

// out tells whether something may be given back.
func (b *block) out() bool { return len(b.loans) > 0 && b.now() < b.outUntil }

func (b *block) takeBack(ctx context.Context, name, units int64, now record.Time) error {
	i := slices.IndexFunc(b.loans, func(l loan) bool { return l.name == name })
	if i < 0 {
		return nil
	}
	of := b.loans[i]
	// Before the write, which may take effect and fail.
	b.loans = slices.Delete(b.loans, i, i+1)
	if units = min(units, of.units); units <= 0 || now >= of.ends {
		return nil
	}
	if err := b.read(ctx, of.window, now); err != nil || b.stored.By != b.by {
		return err // another wrote since, who may have counted them as spent
	}
	return b.write(ctx, b.stored.Returned(units, of.at))
}

// miss looks for units that are out.
func (b *block) miss(now record.Time) {
	at := b.now()
	if b.lentUntil(now) <= now || b.hunted != 0 && at-b.hunted < huntEvery {
		return
	}
	b.hunted = max(1, at)
	b.hunt(b.id)
}

// now is the meter's clock.
func (l *ledger) now() time.Duration { return time.Since(l.start) }
