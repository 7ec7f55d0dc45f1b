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
	mu sync.Mutex
	by map[call]*outcomes
}

// call is a path, and the role that it is confined to.
type call struct{ path, door string }

func (c call) String() string {
	if c.door == "" {
		return c.path
	}
	return c.path + "/" + c.door
}

type outcomes struct {
	answered, silent uint64
	took             time.Duration // all of them
	last             error
}

// maxCalls bounds how many are told apart: a role may be named by whoever asks.
const maxCalls = 256

func (c *calls) count(path, door string, took time.Duration, err error) {
	if errors.Is(err, context.Canceled) {
		return // by us
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.by[call{path, door}]
	if of == nil {
		if len(c.by) >= maxCalls {
			return
		}
		if c.by == nil {
			c.by = make(map[call]*outcomes)
		}
		of = new(outcomes)
		c.by[call{path, door}] = of
	}
	if of.last = err; err != nil {
		of.silent++
	} else {
		of.answered++
	}
	of.took += took
}

// silent tells whether the last call was not answered.
func (c *calls) silent(path, door string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.by[call{path, door}]
	return of != nil && of.last != nil
}

// denied are the paths that Vault's policies do not let the gate ask at.
func (c *calls) denied() (paths []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for of, outcome := range c.by {
		if errors.Is(outcome.last, ErrDenied) {
			paths = append(paths, of.String())
		}
	}
	slices.Sort(paths)
	return paths
}

// measure tells how often what was asked, and where the answer is that it may not be. The
// roles of paths stay out: whoever asks may name any.
func (c *calls) measure(tell func(figure string, value float64, labels ...string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all [len(paths)]struct {
		outcomes
		denied int
	}
	for of, outcome := range c.by {
		sum := &all[slices.Index(paths[:], of.path)]
		sum.answered, sum.silent, sum.took = sum.answered+outcome.answered, sum.silent+outcome.silent, sum.took+outcome.took
		if errors.Is(outcome.last, ErrDenied) {
			sum.denied++
		}
	}
	for i := range all {
		tell("upstream_calls_total", float64(all[i].answered), paths[i], "answered")
		tell("upstream_calls_total", float64(all[i].silent), paths[i], "silent")
		tell("upstream_seconds_total", all[i].took.Seconds(), paths[i])
		tell("upstream_denied", float64(all[i].denied), paths[i])
	}
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
	c.m.calls.count(reservePath, role, c.m.now()-sent, err)
	return grants, err
}

// Report is counted.
func (c counted) Report(ctx context.Context, role string, r wire.Report) error {
	sent := c.m.now()
	err := c.Upstream.Report(ctx, role, r)
	c.m.calls.count(reportPath, role, c.m.now()-sent, err)
	return err
}
