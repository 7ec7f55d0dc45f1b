package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// uses are uses of keys.
type uses map[string]*record.Usage

// usedAt is a use of the first version, and versions are uses of more.
func usedAt(t record.Time) *record.Usage { return versions(record.Use{Version: 1, At: t}) }

func versions(all ...record.Use) *record.Usage {
	u := new(record.Usage)
	for _, use := range all {
		u.Count(record.Decided{Code: "valid", Valid: true, Version: use.Version, At: use.At})
	}
	return u
}

func add(s *store.Store, of uses) {
	all := new(record.Usage)
	decided := make(map[record.Subject]*record.Usage)
	for id, u := range of {
		decided[record.OfKey(id)] = u
		all.Add(*u, record.Mount)
	}
	if len(of) > 0 {
		decided[record.Mount] = all
	}
	s.AddUsage(decided)
}

func flush(t *testing.T, s *store.Store, of uses) {
	t.Helper()
	add(s, of)
	if err := s.WriteUsage(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
}

func compact(t *testing.T, s *store.Store) {
	t.Helper()
	if err := s.CompactUsage(t.Context(), func() {}); err != nil {
		t.Fatal(err)
	}
}

// wantUses holds what these stores say of keys.
func wantUses(t *testing.T, when string, want map[string]record.Time, stores ...*store.Store) {
	t.Helper()
	for i, s := range stores {
		for id, at := range want {
			if u, err := s.Usage(t.Context(), record.OfKey(id)); err != nil || u.Of(1) != at {
				t.Errorf("%s, store %d says %v of %s, %v; want %d", when, i, u, id, err, at)
			}
		}
	}
}

func TestUsesAreMergedAndNeverMoveBack(t *testing.T) {
	t.Parallel()
	other := idIn("bb", 2)
	d, s := mount(t, one, other)
	add(s, uses{one: usedAt(1500)})
	wantUses(t, "added", map[string]record.Time{one: 1500, other: 0}, s)
	flush(t, s, uses{other: usedAt(1600)})
	want := map[string]record.Time{one: 1500, other: 1600}
	wantUses(t, "written", want, s, store.New(d))
	flush(t, s, uses{one: versions(record.Use{Version: 2, At: 1400}, record.Use{Version: 1, At: 1450})})
	wantUses(t, "after an earlier use", want, s, store.New(d))
	compact(t, s)
	if u, err := s.Usage(t.Context(), record.OfKey(one)); err != nil || !slices.Equal(u.Versions, []record.Use{{Version: 2, At: 1400}, {Version: 1, At: 1500}}) {
		t.Errorf("merged they are %v, %v", u, err)
	}
	wantUses(t, "merged", want, s, store.New(d))
	flush(t, s, uses{one: usedAt(1700)})
	want[one] = 1700
	wantUses(t, "used again", want, s, store.New(d))
	check(t, d, 0)
	if got := d.Paths(); !strings.Contains(fmt.Sprint(got), "usage/delta/3") || strings.Contains(fmt.Sprint(got), "usage/delta/2") {
		t.Errorf("storage holds %v", got)
	}
}

// A thousand keys of very many that were used before.
func TestAFlushWritesWhatWasUsedAndReadsNothing(t *testing.T) {
	t.Parallel()
	d, s := mount(t)
	all, few := uses{}, uses{}
	for n := range 20_000 {
		id := idIn(fmt.Sprintf("%02d", n%100), n)
		if all[id] = usedAt(946724400); n%20 == 7 {
			few[id] = usedAt(946724500)
		}
	}
	flush(t, s, all)
	d.Noted()
	flush(t, s, few)
	puts, bytes := d.Noted("put", "get", "list", "delete"), 0
	for _, put := range puts {
		path, isPut := strings.CutPrefix(put, "put ")
		if !isPut {
			t.Errorf("it asked %q", put)
		}
		bytes += len(d.Holds(path))
	}
	if most := len(few) * 190; len(puts) != 1 || bytes > most {
		t.Errorf("of %d keys it wrote %d bytes in %d entries", len(few), bytes, len(puts))
	}
	for n := 1; d.Holds(fmt.Sprint("usage/delta/", n)) != ""; n++ {
		if size := len(d.Holds(fmt.Sprint("usage/delta/", n))); size > 300_000 {
			t.Errorf("delta %d has %d bytes", n, size)
		}
	}
}

// A delta that failed, or whose answer was lost, is written again as it was, before
// what came later.
func TestADeltaKeepsItsNumberAndItsContent(t *testing.T) {
	t.Parallel()
	other := idIn("bb", 2)
	for name, lost := range map[string]bool{"refused": false, "its answer lost": true} {
		d, s := mount(t, one, other)
		flush(t, s, uses{one: usedAt(1)})
		var tried []string
		trouble := func(op, path string) error {
			if op == "put" {
				tried = append(tried, path)
				return errDisk
			}
			if op == "get" && path == "usage/delta/2" {
				return errDisk
			}
			return nil
		}
		if lost {
			d.Intercept(memory.After(trouble))
		} else {
			d.Intercept(memory.Before(trouble))
		}
		add(s, uses{one: usedAt(1500)})
		for range 3 {
			if err := s.WriteUsage(t.Context(), 0); !errors.Is(err, errDisk) {
				t.Errorf("%s: it answered %v", name, err)
			}
			add(s, uses{one: usedAt(1600), other: usedAt(1600)})
		}
		wantUses(t, name, map[string]record.Time{one: 1600, other: 1600}, s)
		d.Intercept(nil)
		first := d.Holds("usage/delta/2")
		flush(t, s, nil)
		if now := d.Holds("usage/delta/2"); now == "" || lost && now != first || strings.Contains(now, "1600") {
			t.Errorf("%s: the second was %s and is %s", name, first, now)
		}
		if tried[len(tried)-1] != "usage/delta/2" || d.Holds("usage/delta/3") == "" || d.Holds("usage/delta/4") != "" {
			t.Errorf("%s: tried were %q, left is %v", name, tried, d.Paths())
		}
		wantUses(t, name, map[string]record.Time{one: 1600, other: 1600}, s, store.New(d))
	}
}

// Wherever a merge ends, each delta is in a base or still to be merged, and is
// merged once: a base that says so takes it no more.
func TestAMergeThatIsCutOffIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	other := idIn("bb", 2)
	want := map[string]record.Time{one: 1700, other: 1600}
	for fails := range 12 {
		d, s := mount(t, one, other)
		flush(t, s, uses{one: usedAt(1500), other: usedAt(1600)})
		flush(t, s, uses{one: usedAt(1700)})
		ops := 0
		d.Intercept(memory.Before(func(op, _ string) error {
			if ops++; ops > fails {
				return errDisk
			}
			return nil
		}))
		err := s.CompactUsage(t.Context(), func() {})
		if d.Intercept(nil); err != nil && !errors.Is(err, errDisk) {
			t.Fatal(err)
		}
		next := store.New(d)
		wantUses(t, fmt.Sprint("after ", fails), want, s, next)
		compact(t, next)
		wantUses(t, fmt.Sprint("finished after ", fails), want, next, store.New(d))
		for path, base := range map[string]string{one: "1700", other: "1600"} {
			if got := d.Holds("usage/key/" + path[:2] + "/" + path); !strings.Contains(got, base) || !strings.Contains(got, `"through":2`) {
				t.Errorf("after %d: the base of %s is %s", fails, path, got)
			}
		}
		check(t, d, 0)
	}
}

// What a base has taken in it never takes again, though its delta comes back.
func TestADeltaThatComesBackIsNotMergedAgain(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	flush(t, s, uses{one: usedAt(1500)})
	compact(t, s)
	d.Plant("usage/delta/1", `{"v":1,"record":{"usage":{"key/`+one+`":{"last":9999}}}}`)
	s = store.New(d)
	wantUses(t, "come back", map[string]record.Time{one: 1500}, s)
	compact(t, s)
	wantUses(t, "merged again", map[string]record.Time{one: 1500}, s)
}

func TestNumbersNeverComeAgain(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	flush(t, s, uses{one: usedAt(1500)})
	compact(t, s)
	s = store.New(d)
	flush(t, s, uses{one: usedAt(1600)})
	if d.Holds("usage/delta/2") == "" {
		t.Errorf("after all were merged it wrote %v", d.Paths())
	}
	compact(t, s)
	d.Plant("usage/mark", "no")
	s = store.New(d)
	flush(t, s, uses{one: usedAt(1700)})
	compact(t, s)
	wantUses(t, "without a mark", map[string]record.Time{one: 1700}, s, store.New(d))
}

func TestManyDeltasAreToBeMerged(t *testing.T) {
	t.Parallel()
	_, s := mount(t, one)
	n := record.Time(0)
	for ; !s.UsagePilesUp() && n < 1000; n++ {
		flush(t, s, uses{one: usedAt(n + 1)})
	}
	if compact(t, s); n < 10 || n > 500 || s.UsagePilesUp() {
		t.Errorf("they pile up after %d", n)
	}
}

func TestAnotherNodesDeltasAreSeen(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	standby := store.New(d)
	wantUses(t, "at first", map[string]record.Time{one: 0}, standby)
	for at := record.Time(1500); at < 1503; at++ {
		flush(t, s, uses{one: usedAt(at)})
		standby.Invalidate(fmt.Sprint("usage/delta/", at-1499))
		wantUses(t, "then", map[string]record.Time{one: at}, standby)
	}
	compact(t, s)
	standby.Invalidate("usage/delta/1")
	wantUses(t, "merged", map[string]record.Time{one: 1502}, standby)
}

func TestADamagedDeltaIsAnErrorAndHoldsUpNoFlush(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	flush(t, s, uses{one: usedAt(1500)})
	d.Plant("usage/delta/1", "no")
	s = store.New(d)
	if _, err := s.Usage(t.Context(), record.OfKey(one)); !errors.Is(err, store.ErrUnreadable) {
		t.Errorf("it answered %v", err)
	}
	flush(t, s, uses{one: usedAt(1600)})
	if err := s.CompactUsage(t.Context(), func() {}); !errors.Is(err, store.ErrUnreadable) {
		t.Errorf("a merge answered %v", err)
	}
	if d.Holds("usage/delta/1") != "no" || d.Holds("usage/delta/2") == "" {
		t.Errorf("left is %v", d.Paths())
	}
	for _, hook := range []func(op, path string) error{memory.On("list", "usage/", errDisk), memory.On("get", "usage/", errDisk)} {
		s = store.New(d)
		d.Intercept(memory.Before(hook))
		if _, err := s.Usage(t.Context(), record.OfKey(one)); !errors.Is(err, errDisk) {
			t.Errorf("with trouble it answered %v", err)
		}
		d.Intercept(nil)
	}
}

func TestASweepRemovesTheUsesOfKeysThatAreGone(t *testing.T) {
	t.Parallel()
	gone, far := idIn("aa", 7), idIn("zz", 7)
	d, s := mount(t, one, gone)
	flush(t, s, uses{one: usedAt(1500), gone: usedAt(1500), far: usedAt(1500)})
	if err := s.TakeOverUsage(t.Context(), 1000); err != nil {
		t.Fatal(err)
	}
	compact(t, s)
	if d.Holds("usage/key/zz/"+far) != "" || d.Holds("usage/key/aa/"+gone) == "" {
		t.Errorf("merged are %v", d.Paths())
	}
	if _, err := s.DeleteKey(t.Context(), gone, func(*record.Key) bool { return false }); err != nil || d.Holds("usage/key/aa/"+gone) != "" {
		t.Errorf("after its deletion there is %v, %v", d.Paths(), err)
	}
	d.Plant("usage/key/zz/"+far, `{"v":1,"record":{"usage":{},"through":1}}`)
	check(t, d, 1)
	steps := 0
	if _, err := s.SweepUsage(t.Context(), func() { steps++ }, 2000, asTheyAre); err != nil {
		t.Fatal(err)
	}
	wantUses(t, "swept", map[string]record.Time{one: 1500, gone: 0, far: 0}, s)
	if check(t, d, 0); d.Holds("usage/mark") == "" || steps != 3 {
		t.Errorf("left are %q after %d steps", d.Paths(), steps)
	}
	d.Noted()
	if _, err := s.SweepUsage(t.Context(), func() {}, 2000, asTheyAre); err != nil || len(d.Noted("put", "delete")) != 0 {
		t.Errorf("a second sweep wrote, %v", err)
	}
	for _, hook := range []func(op, path string) error{memory.On("list", "usage/", errDisk), memory.On("get", "usage/", errDisk), memory.On("get", "key/", errDisk)} {
		s.Invalidate("key/aa/" + one)
		s.Invalidate("usage/")
		d.Intercept(memory.Before(hook))
		if _, err := s.SweepUsage(t.Context(), func() {}, 2000, asTheyAre); !errors.Is(err, errDisk) {
			t.Errorf("with trouble it answered %v", err)
		}
		d.Intercept(nil)
	}
}

// A use that is flushed while the sweep looks at the keys is kept.
func TestASweepLosesNoUseThatComesMeanwhile(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	flush(t, s, uses{one: usedAt(1500)})
	_, err := s.SweepUsage(t.Context(), func() { flush(t, s, uses{one: usedAt(1700)}) }, 2000, asTheyAre)
	if err != nil {
		t.Error(err)
	}
	wantUses(t, "swept", map[string]record.Time{one: 1700}, s, store.New(d))
}

func TestASweepMovesUsesToWhenTheyWere(t *testing.T) {
	t.Parallel()
	_, s := mount(t, one)
	flush(t, s, uses{one: usedAt(9000)})
	back := func(at record.Time) record.Time { return min(at, 1500) }
	for _, want := range []bool{true, false} {
		if moved, err := s.SweepUsage(context.Background(), func() {}, 2000, back); moved != want || err != nil {
			t.Errorf("it moved: %t, %v", moved, err)
		}
		wantUses(t, "moved", map[string]record.Time{one: 1500}, s)
	}
}

// asTheyAre dates nothing anew.
func asTheyAre(t record.Time) record.Time { return t }
