package usage_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/usage"
)

var errDisk = errors.New("disk trouble")

// disk keeps last uses and counts calls. While it is broken nothing is written.
type disk struct {
	mu            sync.Mutex
	stored, added map[string]record.Uses
	reads, merges int
	failRead      bool
	broken        bool
	during        func() // runs within a write, before it
}

func newDisk() *disk {
	return &disk{stored: map[string]record.Uses{}, added: map[string]record.Uses{}}
}

func (d *disk) Uses(_ context.Context, id string) (record.Uses, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reads++
	if d.failRead {
		return nil, errDisk
	}
	return d.stored[id].Merge(d.added[id]), nil
}

func (d *disk) AddUses(uses map[string]record.Uses) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, u := range uses {
		d.added[id] = d.added[id].Merge(u)
	}
}

func (d *disk) WriteUses(context.Context, record.Time) error {
	if d.during != nil {
		d.during()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken {
		return errDisk
	}
	if len(d.added) > 0 {
		d.merges++
	}
	for id, u := range d.added {
		d.stored[id] = d.stored[id].Merge(u)
	}
	clear(d.added)
	return nil
}

const born record.Time = 1000

func yes() bool { return true }

// tracker is one on a node that may write, of which nothing was lost.
func tracker(d *disk) *usage.Tracker {
	tr := usage.New(d, 1000, yes)
	return tr
}

func uses(t *testing.T, tr *usage.Tracker, id string) record.Uses {
	t.Helper()
	u, err := tr.Uses(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestAUseIsKnownAtOnceAndStoredByTheFlush(t *testing.T) {
	t.Parallel()
	d := newDisk()
	tr := tracker(d)
	tr.Touch("a", 2, 1500)
	tr.Touch("a", 1, 1400)
	tr.Touch("a", 0, 1600)
	tr.Touch("a", 2, 1450) // a slower request's
	want := record.Uses{{Version: 2, At: 1500}, {Version: 1, At: 1400}, {Version: 0, At: 1600}}
	if got := uses(t, tr, "a"); !slices.Equal(got, want) || len(d.stored) != 0 {
		t.Errorf("before the flush it is %v, stored %v", got, d.stored)
	}
	for range 2 {
		if err := tr.Flush(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	if got := uses(t, tr, "a"); !slices.Equal(got, want) || !slices.Equal(d.stored["a"], want) || d.merges != 1 {
		t.Errorf("after it %v, stored %v with %d writes", got, d.stored["a"], d.merges)
	}
	reads := d.reads
	uses(t, tr, "a")
	if d.reads != reads {
		t.Error("what was flushed is read again")
	}
}

func TestAFlushNeverMovesAUseBack(t *testing.T) {
	t.Parallel()
	d := newDisk()
	d.stored["a"] = record.Uses{{Version: 1, At: 2000}}
	tr := tracker(d)
	tr.Touch("a", 1, 1500)
	if got := uses(t, tr, "a"); got.Of(1) != 2000 {
		t.Errorf("before the flush it is %v", got)
	}
	if err := tr.Flush(t.Context(), 0); err != nil || d.stored["a"].Of(1) != 2000 || uses(t, tr, "a").Of(1) != 2000 {
		t.Errorf("stored is %v, %v", d.stored["a"], err)
	}
}

func TestWhatAFailedFlushDidNotWriteIsWrittenByTheNext(t *testing.T) {
	t.Parallel()
	d := newDisk()
	tr := tracker(d)
	tr.Touch("a", 1, 1500)
	tr.Touch("b", 1, 1500)
	d.broken = true
	d.during = func() { tr.Touch("b", 1, 1600); tr.Touch("b", 2, 1550) }
	if err := tr.Flush(t.Context(), 0); !errors.Is(err, errDisk) || len(d.stored) != 0 {
		t.Errorf("it answered %v; stored are %v", err, d.stored)
	}
	if got := uses(t, tr, "b"); got.Of(1) != 1600 || got.Of(2) != 1550 {
		t.Errorf("what was not written is %v", got)
	}
	d.during, d.broken = nil, false
	if err := tr.Flush(t.Context(), 0); err != nil || d.stored["a"].Of(1) != 1500 || d.stored["b"].Of(1) != 1600 || d.stored["b"].Of(2) != 1550 {
		t.Errorf("then it answered %v; stored are %v", err, d.stored)
	}
}

func TestAUseOnItsWayToStorageIsKnown(t *testing.T) {
	t.Parallel()
	d := newDisk()
	tr := tracker(d)
	tr.Touch("a", 1, 1500)
	d.during = func() {
		if got := uses(t, tr, "a"); got.Of(1) != 1500 {
			t.Errorf("during the flush it is %v", got)
		}
	}
	if err := tr.Flush(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
}

func TestANodeThatMayNotWriteKeepsNoUses(t *testing.T) {
	t.Parallel()
	d := newDisk()
	d.stored["a"] = record.Uses{{Version: 1, At: 900}}
	tr := usage.New(d, 1000, func() bool { return false })
	tr.Touch("a", 1, 1500)
	if got := uses(t, tr, "a"); got.Of(1) != 900 {
		t.Errorf("it knows %v", got)
	}
	if err := tr.Flush(t.Context(), 0); err != nil || d.merges != 0 {
		t.Errorf("it wrote %d times, %v", d.merges, err)
	}
	d.stored["a"] = record.Uses{{Version: 1, At: 2000}}
	tr.Refresh()
	if got := uses(t, tr, "a"); got.Of(1) != 2000 {
		t.Errorf("after another node wrote it knows %v", got)
	}
}

func TestOfAKeyThatIsGoneNothingIsWritten(t *testing.T) {
	t.Parallel()
	d := newDisk()
	tr := tracker(d)
	tr.Touch("a", 1, 1500)
	tr.Forget("a")
	if err := tr.Flush(t.Context(), 0); err != nil || d.merges != 0 {
		t.Errorf("it wrote %v, %v", d.stored, err)
	}
}

func TestTroubleWithReadingIsAnError(t *testing.T) {
	t.Parallel()
	d := newDisk()
	d.failRead = true
	tr := tracker(d)
	tr.Touch("a", 1, 1500)
	if _, err := tr.Uses(t.Context(), "a"); !errors.Is(err, errDisk) {
		t.Errorf("uses answer %v", err)
	}
}

func TestWhatIsTouchedIsNeverEvicted(t *testing.T) {
	t.Parallel()
	d := newDisk()
	tr := tracker(d)
	tr.Configure(record.Config{VerifyCacheSize: 64})
	for i := range 2000 {
		tr.Touch(fmt.Sprintf("%04d", i), 1, 1500)
		uses(t, tr, fmt.Sprintf("%04d", i))
	}
	if err := tr.Flush(t.Context(), 0); err != nil || len(d.stored) != 2000 {
		t.Fatalf("%d were written, %v", len(d.stored), err)
	}
	for id := range maps.Keys(d.stored) {
		if got := uses(t, tr, id); got.Of(1) != 1500 {
			t.Fatalf("of %s is known %v", id, got)
		}
	}
}
