// Package ticks is a clock that moves when it is told to, for tests of what goes by one.
package ticks

import (
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Clock is as certain of its time as it is told to be. Make one with New.
type Clock struct {
	now atomic.Int64

	// Certain tells whether what ended this long ago may be removed; nil is always.
	Certain func(ago record.Seconds) bool
	// Dates is the moment that was written down as t; nil is t.
	Dates func(t record.Time) record.Time
	// Backs is how often the time went back.
	Backs int
}

// New is a clock that stands at this moment.
func New(now record.Time) *Clock {
	c := &Clock{}
	c.now.Store(int64(now))
	return c
}

// Move moves it, back too.
func (c *Clock) Move(s record.Seconds) { c.now.Add(int64(s)) }

func (c *Clock) Now() record.Time { return record.Time(c.now.Load()) }

// Elapsed is what a clock that nobody can set has counted.
func (c *Clock) Elapsed() time.Duration { return time.Duration(c.now.Load()) * time.Second }

// Undone is false: whoever moves this clock moves what has elapsed, too.
func (*Clock) Undone(_, _ time.Duration) bool { return false }

func (c *Clock) TakenBack() int { return c.Backs }

func (c *Clock) Settled(ago record.Seconds) bool { return c.Certain == nil || c.Certain(ago) }

func (c *Clock) Dated(t record.Time) record.Time {
	if c.Dates == nil {
		return t
	}
	return c.Dates(t)
}
