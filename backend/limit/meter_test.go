package limit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

func TestOnlyFullCountersMakeRoomForAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMeter(newDisk())
		m.max = 200
		for i := range m.max {
			take(t, m, 1, created, lineOf(fmt.Sprint("slow", i), rated(2, 3600)))
		}
		v, err := m.Take(t.Context(), []Line{lineOf("more", rated(1, 1))}, 1, created)
		if !errors.Is(err, ErrBusy) || v != (Verdict{}) || m.count.Load() != m.max {
			t.Errorf("beyond the bound it is %+v, %v with %d counters", v, err, m.count.Load())
		}
		if _, err := m.Peek(t.Context(), lineOf("more", rated(1, 1)), created); !errors.Is(err, ErrBusy) {
			t.Errorf("a look answers %v", err)
		}
		for i := range m.max {
			if v := take(t, m, 0, created, lineOf(fmt.Sprint("slow", i), rated(2, 3600))); v.Remaining.Rate != 1 {
				t.Fatalf("a counter that is partly used was dropped: %+v", v)
			}
		}
		time.Sleep(30 * time.Minute)
		if err := m.Settle(t.Context(), 0); err != nil || m.count.Load() != 0 {
			t.Errorf("full ones are kept: %d, %v", m.count.Load(), err)
		}
		take(t, m, 1, created, lineOf("more", rated(1, 1)))
	})
}

// A shard that is asked for another counter drops its full ones by itself.
func TestFullCountersGoWithoutASettle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMeter(newDisk())
		m.max = 1000
		for i := range 20 * m.max {
			if i%m.max == 0 {
				time.Sleep(time.Second)
			}
			if _, err := m.Take(t.Context(), []Line{lineOf(fmt.Sprint(i), rated(2, 1))}, 1, created); err != nil && !errors.Is(err, ErrBusy) {
				t.Fatal(err)
			}
		}
		if m.count.Load() > m.max {
			t.Errorf("%d counters", m.count.Load())
		}
	})
}

func TestACounterWithABlockIsKeptUntilItIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		m, line := NewMeter(d), lineOf("a", quotaOf(640, 0))
		take(t, m, 1, created, line)
		if d.quotas["a"].Total != 20 {
			t.Fatalf("reserved are %d", d.quotas["a"].Total)
		}
		time.Sleep(29 * time.Second)
		if err := m.Settle(t.Context(), 30*time.Second); err != nil || m.count.Load() != 1 || d.quotas["a"].Total != 20 {
			t.Errorf("before it is idle: %d, %v, %d reserved", m.count.Load(), err, d.quotas["a"].Total)
		}
		time.Sleep(time.Second)
		if err := m.Settle(t.Context(), 30*time.Second); err != nil || m.count.Load() != 0 || d.quotas["a"].Total != 1 {
			t.Errorf("then: %d, %v, %d reserved", m.count.Load(), err, d.quotas["a"].Total)
		}
		if got := spendAll(t, m, created, line); got != 639 {
			t.Errorf("left were %d", got)
		}
	})
}

func TestAnOrderlyEndLosesNothing(t *testing.T) {
	t.Parallel()
	d := newDisk()
	for i := range 300 {
		m := NewMeter(d)
		for k := range 3 {
			take(t, m, 1, created, lineOf(fmt.Sprint(k), quotaOf(1000, 0)))
		}
		if err := m.Settle(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if q := d.quotas["0"]; q.Total != int64(i)+1 {
			t.Fatalf("after %d ends %d are reserved", i+1, q.Total)
		}
	}
}

func TestASettleThatIsCancelledSaysSo(t *testing.T) {
	t.Parallel()
	d := newDisk()
	m := NewMeter(d)
	take(t, m, 1, created, lineOf("a", quotaOf(640, 0)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Settle(ctx, 0); !errors.Is(err, context.Canceled) || d.puts != 1 {
		t.Errorf("it answered %v after %d writes", err, d.puts)
	}
}

func TestWhatAnotherNodeWroteCountsOnceItIsForgotten(t *testing.T) {
	t.Parallel()
	d := newDisk()
	m, line := NewMeter(d), lineOf("a", both(10, 1, 640, 0))
	take(t, m, 1, created, line)
	d.quotas["a"] = record.Quota{Total: 630, By: "another", Until: created + 1}
	m.Forget("a")
	m.Forget("unheard of")
	r, err := m.Peek(t.Context(), line, created)
	if err != nil || r.Quota != 10 || r.Rate != 9 || m.count.Load() != 1 {
		t.Errorf("there remain %+v, %v; %d counters", r, err, m.count.Load())
	}
}

func TestALookThatMustNotWaitDoesNot(t *testing.T) {
	t.Parallel()
	m, line := NewMeter(newDisk()), lineOf("a", both(5, 1, 10, 0))
	take(t, m, 1, created, line)
	if r, err := m.TryPeek(t.Context(), line, created); err != nil || r.Quota != 9 || r.Rate != 4 {
		t.Errorf("it is %+v, %v", r, err)
	}
	c, err := m.hold("a")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := m.TryPeek(t.Context(), line, created); !errors.Is(err, ErrBusy) || r != (Remaining{}) {
		t.Errorf("while another takes it is %+v, %v", r, err)
	}
	m.release("a", c)
	if c.users != 0 {
		t.Errorf("%d users are left", c.users)
	}
}

func TestWhoMayHaveWaitedIsTold(t *testing.T) {
	t.Parallel()
	m, rate, quota := NewMeter(newDisk()), lineOf("a", rated(5, 1)), lineOf("b", both(5, 1, 10, 0))
	waited := func(chain ...Line) bool {
		v, err := m.Take(t.Context(), chain, 1, created)
		if err != nil || v.Outcome != Allowed {
			t.Errorf("it is %+v, %v", v, err)
		}
		return v.Waited
	}
	if waited(rate) || !waited(quota) || !waited(quota, rate) {
		t.Error("it is not the quota alone that is waited for")
	}
	c, err := m.hold("a")
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan bool)
	go func() { told <- waited(rate) }()
	for users := 0; users < 2; { // the other has found it
		s := m.shard("a")
		s.mu.Lock()
		users = c.users
		s.mu.Unlock()
	}
	time.Sleep(10 * time.Millisecond)
	m.release("a", c)
	if !<-told {
		t.Error("who waited for another is told that nothing was waited for")
	}
}

// Everything at once, for the race detector.
func TestAMeterIsUsedByMany(t *testing.T) {
	t.Parallel()
	d := newDisk()
	m := NewMeter(d)
	m.max = 64
	ids := make([]string, 100)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	var group sync.WaitGroup
	for w := range 8 {
		group.Go(func() {
			for i := range 400 {
				line := lineOf(ids[(i*7+w)%len(ids)], both(3, 1, 50, 0))
				switch i % 50 {
				case 0:
					_ = m.Settle(context.Background(), 0)
				case 1:
					m.Forget(line.ID)
				case 2:
					_, _ = m.TryPeek(context.Background(), line, created)
				default:
					if _, err := m.Take(context.Background(), []Line{line}, 1, created); err != nil && !errors.Is(err, ErrBusy) {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	// The bound is looked at before a counter is made, by several at a time.
	if m.count.Load() > m.max+8 {
		t.Errorf("%d counters", m.count.Load())
	}
	for i := range m.shards {
		for id, c := range m.shards[i].counters {
			if c.users != 0 {
				t.Errorf("%s has %d users", id, c.users)
			}
		}
	}
}
