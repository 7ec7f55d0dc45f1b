package limit

import (
	"context"
	"errors"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Source lends units of quotas to the meter of a gate, which is asked far away. It waits
// for nothing: what comes of it is told to Credit.
type Source interface {
	// Ask asks for units of a key's quota: need, for which somebody waits, and up to units
	// of them ahead; or, with neither, how many remain. There is one such question of a key
	// at a time.
	Ask(role, id string, need, units int64)
	// Return gives back what was not spent of a loan. It is told once.
	Return(role, id string, loan, units int64)
	// Answers tells whether the last question about keys of a role was answered. What is
	// given back in vain is lost.
	Answers(role string) bool
}

// ErrSilent is returned when units of a quota were asked for, and no answer came in time.
const ErrSilent record.Busy = "busy: the engine does not say what is left of the key's quota"

// NewBorrower makes a meter that borrows the units of quotas. now is the lender's time,
// and patience how long a request waits for units at most.
func NewBorrower(from Source, now func() record.Time, patience func() time.Duration) *Meter {
	m := newMeter()
	m.source, m.clock, m.patience = from, now, patience
	return m
}

// Answer is what came of a question.
type Answer struct {
	Loan
	Asked time.Time // when the question left, or earlier
	Unmet bool      // need was not there
	Err   error     // there is none
}

// Credit tells of an answer to a question of a key. Its counter is there as long as the
// question is under way.
func (m *Meter) Credit(id string, a Answer) {
	if c := m.lookUp(id); c != nil {
		c.quota.(*purse).credit(a)
		m.release(id, c)
	}
}

// later is an error that says when to ask again: a question is under way.
type later struct {
	done chan struct{}
	err  error // why there is no answer, once it is done
}

// Error is told to those who do not wait.
func (*later) Error() string { return ErrSilent.Error() }

// wait waits for what err waits for, without any lock and until a moment that is set by
// its first call, and answers what time it is then.
func (m *Meter) wait(ctx context.Context, err error, until *time.Time, now record.Time) (record.Time, error) {
	var l *later
	if !errors.As(err, &l) {
		return now, err
	}
	if until.IsZero() {
		*until = time.Now().Add(m.patience())
	}
	enough := time.NewTimer(time.Until(*until))
	defer enough.Stop()
	select {
	case <-l.done:
		return max(now, m.clock()), l.err
	case <-enough.C:
		return now, ErrSilent
	case <-ctx.Done():
		return now, ctx.Err()
	}
}
