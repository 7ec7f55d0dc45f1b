package edge

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"vault-plugin-secrets-apikeys/backend/wire"
)

// The paths of Vault that a mirror asks at.
const (
	changesPath = "gate/changes"
	resolvePath = "gate/resolve"
	confirmPath = "gate/confirm"
	reservePath = "gate/reserve"
	reportPath  = "gate/report"
)

var paths = [...]string{changesPath, resolvePath, confirmPath, reservePath, reportPath}

// calls counts what was asked of Vault, and knows where it is silent.
type calls struct {
	mu   sync.Mutex
	sums [len(paths)]sum
	last map[call]outcome
}

// call is a path, and the role that it is confined to.
type call struct{ path, door string }

func (c call) String() string {
	if c.door == "" {
		return c.path
	}
	return c.path + "/" + c.door
}

// sum is what came of all calls of a path.
type sum struct {
	answered, silent uint64
	took             time.Duration // all of them
}

// outcome is what came of the last call, and when.
type outcome struct {
	err error
	at  time.Duration
}

const (
	// maxCalls bounds how many are told apart: a role may be named by whoever asks. The one
	// that was asked at longest ago makes room.
	maxCalls = 256
	// deniedFor is for how long a denial is told where nothing was asked again. Some paths are
	// asked at only when somebody comes with a key, and a policy that was mended, or a role
	// that was misspelt once, must not be called out for ever.
	deniedFor = 10 * time.Minute
)

// count counts a call that ended now.
func (c *calls) count(path, door string, now, took time.Duration, err error) {
	if errors.Is(err, context.Canceled) {
		return // by us
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.sums[slices.Index(paths[:], path)]
	if s.took += took; err != nil {
		s.silent++
	} else {
		s.answered++
	}
	of := call{path, door}
	if _, known := c.last[of]; !known {
		c.makeRoom()
	}
	c.last[of] = outcome{err, now}
}

// makeRoom sees to it that one more can be told apart. The caller holds mu.
func (c *calls) makeRoom() {
	if c.last == nil {
		c.last = make(map[call]outcome)
	}
	if len(c.last) < maxCalls {
		return
	}
	var oldest call
	for of, last := range c.last {
		if before, ok := c.last[oldest]; !ok || last.at < before.at {
			oldest = of
		}
	}
	delete(c.last, oldest)
}

// silent tells whether the last call was not answered.
func (c *calls) silent(path, door string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last[call{path, door}].err != nil
}

// denied are the paths that Vault's policies do not let the gate ask at.
func (c *calls) denied(now time.Duration) (paths []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for of, last := range c.last {
		if last.denied(now) {
			paths = append(paths, of.String())
		}
	}
	slices.Sort(paths)
	return paths
}

func (o outcome) denied(now time.Duration) bool {
	return errors.Is(o.err, ErrDenied) && now-o.at < deniedFor
}

// measure tells how often what was asked, and where the answer is that it may not be. The
// roles of paths stay out: whoever asks may name any.
func (c *calls) measure(now time.Duration, tell func(figure string, value float64, labels ...string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	denied := make(map[string]int)
	for of, last := range c.last {
		if last.denied(now) {
			denied[of.path]++
		}
	}
	for i, path := range paths {
		s := &c.sums[i]
		tell("upstream_calls_total", float64(s.answered), path, "answered")
		tell("upstream_calls_total", float64(s.silent), path, "silent")
		tell("upstream_seconds_total", s.took.Seconds(), path)
		tell("upstream_denied", float64(denied[path]), path)
	}
}

// count counts a call that was sent at a moment and ends now, and answers how long it took.
func (m *Mirror) count(path, door string, sent time.Duration, err error) (took time.Duration) {
	now := m.now()
	m.calls.count(path, door, now, now-sent, err)
	return now - sent
}

// counted is an Upstream whose calls about quotas and uses are counted. Those of the
// mirror's own count with what becomes of their answers.
type counted struct {
	Upstream
	m *Mirror
}

// Reserve is counted.
func (c counted) Reserve(ctx context.Context, role string, r wire.Reserve) (wire.Grants, error) {
	sent := c.m.now()
	grants, err := c.Upstream.Reserve(ctx, role, r)
	c.m.count(reservePath, role, sent, err)
	return grants, err
}

// Report is counted.
func (c counted) Report(ctx context.Context, role string, r wire.Report) error {
	sent := c.m.now()
	err := c.Upstream.Report(ctx, role, r)
	c.m.count(reportPath, role, sent, err)
	return err
}
