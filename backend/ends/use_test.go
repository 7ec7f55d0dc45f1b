package ends

import (
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
)

// rotated is a key whose version 2 waits from 100 to 400 for its first use, and ends
// at 450; the one before lives to 1000 and has no grace.
func rotated() record.Key {
	return record.Key{ID: "a", Versions: []record.Version{
		{Number: 2, Hash: keyhash.Stored("h"), CreatedAt: 100, ExpiresAt: 450, PendingUntil: 400},
		{Number: 1, Hash: keyhash.Stored("h"), ExpiresAt: 1000},
	}}
}

func settled(s *Seen, k record.Key, now record.Time) record.Key {
	s.Settle(&k, now)
	return k
}

func TestTheFirstOfManyUsesCounts(t *testing.T) {
	t.Parallel()
	s, k := New(&wrong{}), rotated()
	if !s.Use("a", k.Pending(), 200) || !s.Use("a", k.Pending(), 201) {
		t.Error("a first use is none")
	}
	if got := settled(s, k, 300); got.Highest().ActivatedAt != 200 || got.Find(1).ValidUntil != 200 {
		t.Errorf("it took effect at %d", got.Highest().ActivatedAt)
	}
	if got := settled(s, k, 150); got.Highest().ActivatedAt != 150 {
		t.Errorf("for a clock that is behind it took effect at %d", got.Highest().ActivatedAt)
	}
	is := settled(s, k, 300)
	s.Written("a", 2)
	if s.Use("a", is.Highest(), 310) || s.Use("b", is.Highest(), 310) {
		t.Error("a use of a version whose record says so is to be written")
	}
	// Who had the record in his hands meanwhile still goes by it.
	if got := settled(s, k, 300); got.Pending() != nil {
		t.Error("the version waits again")
	}
}

func TestNoClockTakesAUseBack(t *testing.T) {
	t.Parallel()
	clock := &wrong{now: time.Hour, from: time.Hour}
	s, k := New(clock), rotated()
	is := settled(s, k, 400)
	if is.Highest().ActivatedAt != 400 {
		t.Fatal("it takes effect by time")
	}
	if got := settled(s, k, 300); got.Pending() != nil {
		t.Error("a clock that goes back takes that back")
	}
	clock.until = 2 * time.Hour
	if got := settled(s, k, 300); got.Pending() == nil {
		t.Error("a time that never was has let it take effect")
	}
	if !s.Use("a", is.Highest(), 400) {
		t.Error("its first use by that time is none")
	}
	if got := settled(s, k, 300); got.Highest().ActivatedAt != 300 {
		t.Error("nor was its use")
	}
}

func TestAVersionThatWasSeenToLapseStaysSo(t *testing.T) {
	t.Parallel()
	clock := &wrong{now: time.Hour, from: time.Hour}
	s, k := New(clock), rotated()
	k.Pending().ExpiresAt = 350
	for _, now := range []record.Time{350, 200} {
		if got := settled(s, k, now); got.Highest().CancelledAt != 350 {
			t.Errorf("at %d it is %+v", now, got.Highest())
		}
	}
	renewed := rotated()
	if got := settled(s, renewed, 200); got.Pending() == nil {
		t.Error("one that ends otherwise is held to that")
	}
	clock.until = 2 * time.Hour
	if got := settled(s, k, 200); got.Pending() == nil {
		t.Error("a time that never was has let it lapse")
	}
	revoked := rotated()
	revoked.RevokedAt = 150
	if s.Settle(&revoked, 500) {
		t.Error("a key that has ended changes")
	}
}
