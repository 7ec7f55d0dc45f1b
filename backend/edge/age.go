package edge

import (
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// Trouble is why a mirror does not decide. It is no verdict: a 503, with this word.
type Trouble string

func (t Trouble) Error() string { return string(t) }

const (
	// ErrBusy is returned where there is more to ask than may be asked.
	ErrBusy Trouble = "busy"
	// ErrStale is returned for what the mirror would have to ask Vault about, which is
	// silent, and where it has not heard yet what the asker has.
	ErrStale Trouble = "stale"
	// ErrClosed is returned where nothing is answered: before the first answer, where the
	// last one is too old, and at the end.
	ErrClosed Trouble = "closed"
)

// ErrCursor is returned for what is no place in a feed.
const ErrCursor record.Mistake = "X-Apikey-Min-Cursor is no cursor that this engine made"

// fresh tells whether the mirror's knowledge may be answered from: an error where it may
// not, and its age where it may only because of the grace.
func (m *Mirror) fresh() (stale time.Duration, err error) {
	certain := m.feed.certain.Load()
	if certain == never || m.closed.Load() {
		return 0, ErrClosed
	}
	return m.within(time.Duration(certain), m.feed.suspended.Load())
}

// within is fresh of what was certain at a moment.
func (m *Mirror) within(certain time.Duration, suspended bool) (stale time.Duration, err error) {
	if certain == never {
		return 0, ErrClosed
	}
	s := m.settings.Load()
	age := m.now() - certain
	switch {
	case age <= s.MaxStaleness && !suspended:
		return 0, nil
	case s.StaleGrace > 0 && age <= s.MaxStaleness+s.StaleGrace:
		return max(age, 1), nil
	}
	return 0, ErrClosed
}

// reached tells whether the mirror has heard of everything up to this cursor.
func (m *Mirror) reached(text string) error {
	least, ok := wire.ParseCursor(text)
	if !ok {
		return ErrCursor
	}
	m.feed.mu.RLock()
	defer m.feed.mu.RUnlock()
	if least.Term > m.feed.cursor.Term || least.Term == m.feed.cursor.Term && behind(m.feed.cursor, least) {
		return ErrStale
	}
	return nil
}

// behind tells whether what is of one cursor may miss what is of another. Of two feeds
// that happen to have one term, nobody knows.
func behind(c, other wire.Cursor) bool {
	return c.Behind(other) || c.Term == other.Term && c.Suffix != other.Suffix
}

// usable tells whether what is held may be answered from. What was not confirmed since
// the last reset is as old as the epoch before, and is not enough for who wants to know
// what a cursor has told.
func (m *Mirror) usable(epoch uint64, confirmed bool) (stale time.Duration, ok bool) {
	if epoch == m.feed.epoch.Load() {
		return 0, true
	}
	if confirmed {
		return 0, false
	}
	stale, err := m.within(m.feed.certainIn(epoch), false)
	return stale, err == nil
}
