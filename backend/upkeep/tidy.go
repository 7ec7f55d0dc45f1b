package upkeep

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// TidyState says what became of the last tidy of this process.
type TidyState string

// The states of tidy.
const (
	TidyNever     TidyState = "never"
	TidyRunning   TidyState = "running"
	TidyDone      TidyState = "done"
	TidyFailed    TidyState = "failed"
	TidyCancelled TidyState = "cancelled"
)

// TidyStatus is what tidy did or does.
type TidyStatus struct {
	State           TidyState
	StartedAt       record.Time
	FinishedAt      record.Time
	KeysRemoved     int
	EntriesRepaired int
	Error           string
}

// TidyInterval is how often tidy runs by itself.
const TidyInterval = time.Hour

// Tidier removes what has ended, in the background, one run at a time.
type Tidier struct {
	mount  *Mount
	worker worker

	mu     sync.Mutex
	status TidyStatus
	ended  map[TidyState]int // runs, by how they ended
	all    TidyStatus        // the counts of all runs, and when the last ended that was done
	took   time.Duration     // that run
	found  census
	last   time.Time // when the last run began, or one would have that makes the first due
	backs  int       // how often the clock had gone back by then
}

// firstTidy is when the first run by itself is due: a node that takes over has
// better things to do at first, and one that is restarted often must tidy, too.
const firstTidy = 10 * time.Minute

// NewTidier makes the tidier of a mount.
func NewTidier(m *Mount) *Tidier {
	return &Tidier{mount: m, status: TidyStatus{State: TidyNever}, ended: make(map[TidyState]int), last: time.Now().Add(firstTidy - TidyInterval)}
}

// Status is that of the present run, or of the last.
func (t *Tidier) Status() TidyStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status
}

// Start begins a run unless one is under way, and answers the status of the run.
func (t *Tidier) Start() TidyStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.status.State == TidyRunning {
		return t.status
	}
	// The last run has written its status, but its goroutine may not be gone, and
	// the worker would take it for this run.
	t.worker.wait()
	before := t.status
	t.status = TidyStatus{State: TidyRunning, StartedAt: t.mount.Clock.Now()}
	t.last, t.backs = time.Now(), t.mount.Clock.TakenBack()
	if !t.worker.start(t.mount.Logger, "tidy", t.run) {
		t.status = before
	}
	return t.status
}

// StartWhenDue begins a run when the last one began an interval ago, or when the
// clock has gone back since: what was dated ahead is to be found. It is called
// once a minute, and does nothing while the clock is in doubt.
func (t *Tidier) StartWhenDue() {
	if !t.mount.Clock.Settled(0) {
		return
	}
	t.mu.Lock()
	due := time.Since(t.last) >= TidyInterval || t.mount.Clock.TakenBack() != t.backs
	t.mu.Unlock()
	if due {
		t.Start()
	}
}

// Stop cancels a run and waits for its end for a short while.
func (t *Tidier) Stop() { t.worker.stop() }

func (t *Tidier) run(ctx context.Context) {
	s := &sweep{mount: t.mount, count: t.count, counted: t.counted}
	// Until proven otherwise, so that a panic does not leave 'running' behind.
	state, text := TidyFailed, "internal error"
	defer func() { t.finish(state, text) }()
	err := s.run(ctx)
	switch {
	case ctx.Err() != nil:
		state, text = TidyCancelled, ""
	case errors.Is(err, ErrUnsettled):
		t.mount.Logger.Warn("tidy removed nothing more", "reason", err)
		text = err.Error()
	case err != nil:
		t.mount.Logger.Error("tidy failed", "error", err)
		text = err.Error()
	case s.census.unreadable > 0:
		state, text = TidyDone, fmt.Sprintf("%d keys could not be read and were passed over; the log names them", s.census.unreadable)
	default:
		state, text = TidyDone, ""
	}
}

func (t *Tidier) finish(state TidyState, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status.State, t.status.Error = state, text
	t.status.FinishedAt = t.mount.Clock.Now()
	t.ended[state]++
	if state == TidyDone {
		t.all.FinishedAt, t.took = t.status.FinishedAt, time.Since(t.last)
	}
}

func (t *Tidier) count(removed, repaired int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status.KeysRemoved += removed
	t.status.EntriesRepaired += repaired
	t.all.KeysRemoved += removed
	t.all.EntriesRepaired += repaired
}

func (t *Tidier) counted(found census) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.found = found
}

// Measure tells what the runs did, and what the last of them found.
func (t *Tidier) Measure(tell func(figure string, value float64, labels ...string)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, state := range []TidyState{TidyDone, TidyFailed, TidyCancelled} {
		tell("tidy_runs_total", float64(t.ended[state]), string(state))
	}
	tell("tidy_keys_removed_total", float64(t.all.KeysRemoved))
	tell("tidy_entries_repaired_total", float64(t.all.EntriesRepaired))
	if t.all.FinishedAt != 0 {
		tell("tidy_last_success_timestamp_seconds", float64(t.all.FinishedAt))
		tell("tidy_last_duration_seconds", t.took.Seconds())
	}
	t.found.measure(tell)
}
