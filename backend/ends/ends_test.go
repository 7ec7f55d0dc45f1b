package ends

import (
	"reflect"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
)

// wrong is a clock that was wrong between two moments, and always says 500.
type wrong struct{ now, from, until time.Duration }

func (w *wrong) Now() record.Time                      { return 500 }
func (w *wrong) Elapsed() time.Duration                { return w.now }
func (w *wrong) Undone(began, seen time.Duration) bool { return began < w.from && seen < w.until }

// key has a newest version that expires at 500, one in its grace until 300, and
// one whose hash was forgotten.
func key() *record.Key {
	return &record.Key{ID: "a", Versions: []record.Version{
		{Number: 3, Hash: keyhash.Stored("h"), ExpiresAt: 500},
		{Number: 2, Hash: keyhash.Stored("h"), ExpiresAt: 500, SupersededAt: 1, ValidUntil: 300},
		{Number: 1, ExpiresAt: 500, SupersededAt: 1, ValidUntil: 200},
	}}
}

func TestWhatWasSeenToEndIsRememberedWithItsEnd(t *testing.T) {
	t.Parallel()
	later := func(change func(k *record.Key)) *record.Key {
		k := key()
		change(k)
		return k
	}
	for name, tc := range map[string]struct {
		noted record.Time
		asked *record.Key
		want  record.Seen
	}{
		"before any end":                   {299, key(), record.Seen{}},
		"at the end of a grace":            {300, key(), record.Seen{Superseded: []int{2}}},
		"at the end of the newest":         {500, key(), record.Seen{Expired: true, Superseded: []int{2}}},
		"of a version that ends otherwise": {500, later(func(k *record.Key) { k.Versions[0].ExpiresAt++ }), record.Seen{Superseded: []int{2}}},
		"of a grace that ends otherwise":   {500, later(func(k *record.Key) { k.Versions[1].ValidUntil++ }), record.Seen{Expired: true}},
		"of another key":                   {500, later(func(k *record.Key) { k.ID = "b" }), record.Seen{}},
		"of a version that was made since": {500, later(func(k *record.Key) { k.Versions[0].Number++ }), record.Seen{Superseded: []int{2}}},
	} {
		s := New(&wrong{})
		s.Note(key(), tc.noted)
		if got := s.Of(tc.asked); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWhatWasSeenByATimeThatNeverWasDoesNotCount(t *testing.T) {
	t.Parallel()
	clock := &wrong{now: 10}
	s := New(clock)
	s.Note(key(), 500)
	if got := s.Of(key()); !got.Expired || len(got.Superseded) != 1 {
		t.Fatalf("it saw %+v", got)
	}
	clock.now, clock.until = 20, 15
	if got := s.Of(key()); !reflect.DeepEqual(got, record.Seen{}) {
		t.Errorf("it still counts %+v", got)
	}
	s.Note(key(), 500) // and is seen again
	if got := s.Of(key()); !got.Expired {
		t.Errorf("then it counts %+v", got)
	}
}

// A life that began and ended under the same wrong time has passed.
func TestWhatBeganAndEndedByAWrongTimeHasEnded(t *testing.T) {
	t.Parallel()
	clock := &wrong{now: time.Hour, from: time.Hour - 501*time.Second}
	s := New(clock)
	s.Note(key(), 500)
	clock.until = 2 * time.Hour
	if got := s.Of(key()); !got.Expired || len(got.Superseded) != 1 {
		t.Errorf("it counts %+v", got)
	}
}
