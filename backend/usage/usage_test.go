package usage_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/usage"
)

var errDisk = errors.New("disk trouble")

// disk keeps usage and counts calls. While it is broken nothing is written.
type disk struct {
	mu            sync.Mutex
	stored, added usages
	reads, merges int
	failRead      bool
	broken        bool
	during        func() // runs within a write, before it
}

// usages are those of subjects.
type usages map[record.Subject]*record.Usage

func (us usages) add(others usages) {
	for of, u := range others {
		if us[of] == nil {
			us[of] = new(record.Usage)
		}
		us[of].Add(*u, of)
	}
}

// key are the last uses of a key.
func (us usages) key(id string) record.Uses {
	if u := us[record.OfKey(id)]; u != nil {
		return u.Uses
	}
	return record.Uses{}
}

func newDisk() *disk { return &disk{stored: usages{}, added: usages{}} }

func (d *disk) Usage(_ context.Context, of record.Subject) (record.Usage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reads++
	if d.failRead {
		return record.Usage{}, errDisk
	}
	sum := usages{}
	for _, part := range []usages{d.stored, d.added} {
		if u := part[of]; u != nil {
			sum.add(usages{of: u})
		}
	}
	if sum[of] == nil {
		return record.Usage{}, nil
	}
	return *sum[of], nil
}

func (d *disk) AddUsage(decided map[record.Subject]*record.Usage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.added.add(decided)
}

func (d *disk) WriteUsage(context.Context, record.Time) error {
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
	d.stored.add(d.added)
	clear(d.added)
	return nil
}

func yes() bool { return true }

// tracker is one on a node that may write.
func tracker(d *disk) *usage.Tracker { return usage.New(d, 1000, yes) }

// touch is a valid decision of one of acme's keys.
func touch(tr *usage.Tracker, id string, version int, at record.Time) {
	tr.Count(id, "acme", record.Decided{Code: "valid", Valid: true, Version: version, At: at})
}

func uses(t *testing.T, tr *usage.Tracker, id string) record.Uses {
	t.Helper()
	u, err := tr.Uses(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// count is how many decisions of a subject a tracker knows.
func count(t *testing.T, tr *usage.Tracker, of record.Subject) int64 {
	t.Helper()
	u, err := tr.Usage(t.Context(), of)
	if err != nil {
		t.Fatal(err)
	}
	return u.Codes.Total()
}

// put has keys used before.
func (d *disk) put(id string, at record.Time) {
	u := new(record.Usage)
	u.Count(record.Decided{Code: "valid", Valid: true, Version: 1, At: at})
	d.stored.add(usages{record.OfKey(id): u})
}

func TestAUseIsKnownAtOnceAndStoredByTheFlush(t *testing.T) {
	t.Parallel()
	d := newDisk()
	tr := tracker(d)
	touch(tr, "a", 2, 1500)
	touch(tr, "a", 1, 1400)
	tr.Use("a", "acme", 1600)
	touch(tr, "a", 2, 1450) // a slower request's
	want := record.Uses{Last: 1600, Versions: []record.Use{{Version: 2, At: 1500}, {Version: 1, At: 1400}}}
	if got := uses(t, tr, "a"); !reflect.DeepEqual(got, want) || len(d.stored) != 0 {
		t.Errorf("before the flush it is %v, stored %v", got, d.stored)
	}
	for range 2 {
		if err := tr.Flush(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	if got, stored := uses(t, tr, "a"), d.stored.key("a"); !reflect.DeepEqual(got, want) || !reflect.DeepEqual(stored, want) || d.merges != 1 {
		t.Errorf("after it %v, stored %v with %d writes", got, stored, d.merges)
	}
	reads := d.reads
	uses(t, tr, "a")
	if d.reads != reads {
		t.Error("what was flushed is read again")
	}
}

func TestADecisionIsOneOfTheKeyItsOwnerAndTheMount(t *testing.T) {
	t.Parallel()
	d := newDisk()
	tr := tracker(d)
	touch(tr, "a", 1, 1500)
	tr.Count("a", "acme", record.Decided{Code: "expired", Version: 1, At: 1600})
	tr.Count("b", "acme", record.Decided{Code: "ip_denied", Version: 1, At: 1700})
	tr.Count("c", "", record.Decided{Code: "valid", Valid: true, Version: 1, At: 1800})
	tr.Use("c", "", 1900) // by a child, whose decision it is
	for range 3 {
		tr.Count("", "", record.Decided{Code: "invalid", At: 2000})
	}
	for when := range 3 {
		for of, n := range map[record.Subject]int64{record.OfKey("a"): 2, record.OfKey("b"): 1, record.OfKey("c"): 1, record.OfKey(""): 0, record.OfOwner("acme"): 3, record.OfOwner(""): 0, record.Mount: 7} {
			if got := count(t, tr, of); got != n {
				t.Errorf("%d: %s has %d, want %d", when, of, got, n)
			}
		}
		if when == 1 {
			if err := tr.Flush(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(d.stored) != 5 {
		t.Errorf("stored are %v", d.stored)
	}
}

func TestAFlushNeverMovesAUseBack(t *testing.T) {
	t.Parallel()
	d := newDisk()
	d.put("a", 2000)
	tr := tracker(d)
	touch(tr, "a", 1, 1500)
	if got := uses(t, tr, "a"); got.Of(1) != 2000 {
		t.Errorf("before the flush it is %v", got)
	}
	if err := tr.Flush(t.Context(), 0); err != nil || d.stored.key("a").Of(1) != 2000 || uses(t, tr, "a").Of(1) != 2000 {
		t.Errorf("stored is %v, %v", d.stored.key("a"), err)
	}
}

func TestWhatAFailedFlushDidNotWriteIsWrittenByTheNext(t *testing.T) {
	t.Parallel()
	d := newDisk()
	tr := tracker(d)
	touch(tr, "a", 1, 1500)
	touch(tr, "b", 1, 1500)
	d.broken = true
	d.during = func() { touch(tr, "b", 1, 1600); touch(tr, "b", 2, 1550) }
	if err := tr.Flush(t.Context(), 0); !errors.Is(err, errDisk) || len(d.stored) != 0 {
		t.Errorf("it answered %v; stored are %v", err, d.stored)
	}
	if got := uses(t, tr, "b"); got.Of(1) != 1600 || got.Of(2) != 1550 || count(t, tr, record.OfOwner("acme")) != 4 {
		t.Errorf("what was not written is %v", got)
	}
	d.during, d.broken = nil, false
	err := tr.Flush(t.Context(), 0)
	if a, b := d.stored.key("a"), d.stored.key("b"); err != nil || a.Of(1) != 1500 || b.Of(1) != 1600 || b.Of(2) != 1550 {
		t.Errorf("then it answered %v; stored are %v, %v", err, a, b)
	}
	if got := count(t, tr, record.OfOwner("acme")); got != 4 {
		t.Errorf("then %d are counted", got)
	}
}

func TestAUseOnItsWayToStorageIsKnown(t *testing.T) {
	t.Parallel()
	d := newDisk()
	tr := tracker(d)
	touch(tr, "a", 1, 1500)
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
	d.put("a", 900)
	tr := usage.New(d, 1000, func() bool { return false })
	touch(tr, "a", 1, 1500)
	tr.Use("a", "acme", 1500)
	if got := uses(t, tr, "a"); got.Of(1) != 900 {
		t.Errorf("it knows %v", got)
	}
	if _, err := tr.Usage(t.Context(), record.Mount); !errors.Is(err, record.ErrElsewhere) {
		t.Errorf("of usage it answered %v", err)
	}
	if err := tr.Flush(t.Context(), 0); err != nil || d.merges != 0 {
		t.Errorf("it wrote %d times, %v", d.merges, err)
	}
	d.put("a", 2000)
	tr.Refresh()
	if got := uses(t, tr, "a"); got.Of(1) != 2000 {
		t.Errorf("after another node wrote it knows %v", got)
	}
}

func TestOfAKeyThatIsGoneOnlyTheSumsAreKept(t *testing.T) {
	t.Parallel()
	d := newDisk()
	tr := tracker(d)
	touch(tr, "a", 1, 1500)
	tr.Forget("a")
	tr.Forget("b")
	if err := tr.Flush(t.Context(), 0); err != nil || d.stored[record.OfKey("a")] != nil {
		t.Errorf("it wrote %v, %v", d.stored, err)
	}
	if owner, mount := count(t, tr, record.OfOwner("acme")), count(t, tr, record.Mount); owner != 1 || mount != 1 {
		t.Errorf("the owner has %d, the mount %d", owner, mount)
	}
}

func TestTroubleWithReadingIsAnError(t *testing.T) {
	t.Parallel()
	d := newDisk()
	d.failRead = true
	tr := tracker(d)
	touch(tr, "a", 1, 1500)
	if _, err := tr.Uses(t.Context(), "a"); !errors.Is(err, errDisk) {
		t.Errorf("uses answer %v", err)
	}
	if _, err := tr.Usage(t.Context(), record.Mount); !errors.Is(err, errDisk) {
		t.Errorf("usage answers %v", err)
	}
}

func TestWhatIsCountedIsNeverEvicted(t *testing.T) {
	t.Parallel()
	d := newDisk()
	tr := tracker(d)
	tr.Configure(record.Config{VerifyCacheSize: 64})
	for i := range 2000 {
		touch(tr, fmt.Sprintf("%04d", i), 1, 1500)
		uses(t, tr, fmt.Sprintf("%04d", i))
	}
	if err := tr.Flush(t.Context(), 0); err != nil || len(d.stored) != 2002 {
		t.Fatalf("%d were written, %v", len(d.stored), err)
	}
	for i := range 2000 {
		if got := uses(t, tr, fmt.Sprintf("%04d", i)); got.Of(1) != 1500 {
			t.Fatalf("of %d is known %v", i, got)
		}
	}
}

// Who sends what is no key fills nothing.
func TestOfWhatIsNoKeyOnlyTheNumberIsKept(t *testing.T) {
	d := newDisk()
	tr := tracker(d)
	one := record.Decided{Code: "invalid", At: 1500}
	tr.Count("", "", one)
	if allocs := testing.AllocsPerRun(1000, func() { tr.Count("", "", one) }); allocs != 0 {
		t.Errorf("each allocates %.1f times", allocs)
	}
	if err := tr.Flush(t.Context(), 0); err != nil || len(d.stored) != 1 || count(t, tr, record.Mount) != 1002 {
		t.Errorf("stored are %v, %v", d.stored, err)
	}
}
