package limit

import (
	"context"
	"errors"
	"hash/maphash"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"vault-plugin-secrets-apikeys/backend/record"
)

// MaxCounters bounds how many keys may be partly through a limit at once.
const MaxCounters = 1_000_000

// ErrBusy is returned when there is no room to count another key.
const ErrBusy record.Busy = "busy: too many keys are partly through their limits"

// shardCount spreads the lookups of counters over independent locks.
const shardCount = 64

// Meter holds the counters of one mount. It is safe for concurrent use.
type Meter struct {
	ledger   *ledger // nil where units come from a source
	source   Source
	clock    func() record.Time // like patience, of a source
	patience func() time.Duration
	start    time.Time
	seed     maphash.Seed
	count    atomic.Int64
	loans    atomic.Int64 // that are held of a source
	units    atomic.Int64 // of these
	max      int64
	shards   [shardCount]shard
}

type shard struct {
	mu       sync.Mutex
	counters map[string]*counter
}

// counter is what is counted of one key. Its lock is held while a request takes,
// also over the write of a block; users is guarded by the shard's lock and keeps
// a counter in its place.
type counter struct {
	users int
	mu    sync.Mutex
	bucket
	quota  holding
	usedAt time.Duration
}

// holding is what this process holds of one key's quota, under its counter's lock.
type holding interface {
	// fits tells whether cost units of it are not spent. With take they can be spent
	// then. Whoever holds none and has to ask answers with a *later.
	fits(ctx context.Context, line Line, cost int64, take bool, now record.Time) (bool, error)
	// spend takes cost, which fits.
	spend(cost int64, now record.Time)
	// remaining is what is not spent, as far as is known here.
	remaining(ctx context.Context, line Line, now record.Time) (int64, error)
	// giveBack returns what is held, so that an orderly end of the process loses nothing.
	giveBack(ctx context.Context) error
	// held tells whether there is anything to give back; kept, whether there is anything
	// to remember.
	held() bool
	kept() bool
	// arrives tells whether what is given back would arrive, as far as is known.
	arrives() bool
	// forget drops what is known, because another changed it.
	forget()
}

// NewMeter makes a meter that keeps reservations in quotas.
func NewMeter(quotas Quotas) *Meter {
	m := newMeter()
	m.ledger = &ledger{Quotas: quotas, start: m.start, hunt: func(string) {}}
	m.ledger.by = strconv.FormatInt(m.start.UnixNano(), 36) // no two processes begin at the same one
	return m
}

func newMeter() *Meter {
	m := &Meter{start: time.Now(), seed: maphash.MakeSeed(), max: MaxCounters}
	for i := range m.shards {
		m.shards[i].counters = make(map[string]*counter)
	}
	return m
}

// open begins to hold units of a key's quota.
func (m *Meter) open(id string) holding {
	if m.ledger == nil {
		return &purse{meter: m, id: id}
	}
	return &block{ledger: m.ledger, id: id}
}

// Frugal makes the meter reserve nothing ahead, or again. Who calls Settle after
// it loses no unit by a crash.
func (m *Meter) Frugal(on bool) { m.ledger.frugal.Store(on) }

// Measure tells how many blocks of quota were reserved, or of a source are held, and how
// many keys are partly through their limits.
func (m *Meter) Measure(tell func(figure string, value float64, labels ...string)) {
	if m.ledger != nil {
		tell("quota_reservations_total", float64(m.ledger.blocks.Load()))
	} else {
		tell("quota_blocks_held", float64(m.loans.Load()))
		tell("quota_units_held", float64(m.units.Load()))
	}
	tell("limit_counters", float64(m.count.Load()))
	tell("limit_counters_max", float64(m.max))
}

func (m *Meter) shard(id string) *shard {
	return &m.shards[maphash.String(m.seed, id)%shardCount]
}

func (m *Meter) now() time.Duration { return time.Since(m.start) }

// hold finds or makes the counter of a key and locks it.
func (m *Meter) hold(id string) (*counter, error) {
	c, err := m.find(id)
	if err == nil {
		c.mu.Lock()
	}
	return c, err
}

// find finds or makes the counter of a key and keeps it in its place.
func (m *Meter) find(id string) (*counter, error) {
	s := m.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.counters[id]
	if !ok {
		if m.count.Load() >= m.max && !m.dropFull(s) {
			return nil, ErrBusy
		}
		c = &counter{quota: m.open(id)}
		s.counters[id] = c
		m.count.Add(1)
	}
	c.users++
	return c, nil
}

// release unlocks a counter and leaves it.
func (m *Meter) release(id string, c *counter) {
	c.usedAt = m.now()
	c.mu.Unlock()
	m.leave(id, c)
}

func (m *Meter) leave(id string, c *counter) {
	s := m.shard(id)
	s.mu.Lock()
	c.users--
	s.mu.Unlock()
}

// dropFull drops the counters of one shard that hold nothing worth keeping, and
// tells whether there were any. The caller holds the shard.
func (m *Meter) dropFull(s *shard) bool {
	now, dropped := m.now(), false
	for id, c := range s.counters {
		if c.users == 0 && c.full(now) && !c.quota.kept() {
			delete(s.counters, id)
			m.count.Add(-1)
			dropped = true
		}
	}
	return dropped
}

// Forget drops what is known of one key's quota, because another node changed
// it. What was reserved here is lost.
func (m *Meter) Forget(id string) {
	if c := m.lookUp(id); c != nil {
		c.quota.forget()
		m.release(id, c)
	}
}

// GiveBack gives back what is held of one key's quota, because somebody looks for it.
func (m *Meter) GiveBack(ctx context.Context, id string) error {
	c := m.lookUp(id)
	if c == nil {
		return nil
	}
	defer m.release(id, c)
	return c.quota.giveBack(ctx)
}

// lookUp finds the counter of a key and locks it; nil where there is none.
func (m *Meter) lookUp(id string) *counter {
	s := m.shard(id)
	s.mu.Lock()
	c := s.counters[id]
	if c != nil {
		c.users++
	}
	s.mu.Unlock()
	if c != nil {
		c.mu.Lock()
	}
	return c
}

// settlers is how many blocks are given back at a time: an orderly end has two
// seconds.
const settlers = 8

// Settle gives back the reserved blocks of keys that were not verified for idle,
// and drops counters that hold nothing.
func (m *Meter) Settle(ctx context.Context, idle time.Duration) error {
	var group errgroup.Group
	group.SetLimit(settlers)
	for i := range m.shards {
		group.Go(func() error { return m.settleShard(ctx, &m.shards[i], idle) })
	}
	return group.Wait()
}

func (m *Meter) settleShard(ctx context.Context, s *shard, idle time.Duration) (err error) {
	for _, id := range m.idle(s, idle) {
		if ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		err = errors.Join(err, m.settle(ctx, id))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.dropFull(s)
	return err
}

// settle gives back the block of one key. A panic leaves no counter locked, and
// keeps no other block from being given back.
func (m *Meter) settle(ctx context.Context, id string) (err error) {
	c, err := m.hold(id)
	if err != nil {
		return err
	}
	defer m.release(id, c)
	defer func() {
		if recover() != nil { // in a goroutine nothing else would
			err = errors.New("a fault in the plugin ended the return of a quota")
		}
	}()
	return c.quota.giveBack(ctx)
}

// idle are the keys of a shard that hold a block and were not verified for idle, but for
// those whose block would be lost on its way back; for none at all, also these, and those
// that may be taking one.
func (m *Meter) idle(s *shard, idle time.Duration) (ids []string) {
	now := m.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, c := range s.counters {
		if c.users > 0 {
			if idle == 0 {
				ids = append(ids, id)
			}
		} else if c.quota.held() && now-c.usedAt >= idle && (idle == 0 || c.quota.arrives()) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Line is one key in a chain of delegation: itself, or an ancestor.
type Line struct {
	ID      string
	Role    string // at whose door a borrower asks for units
	Created record.Time
	Limits  record.Limits // effective
}

// Limited tells whether the line has any limit.
func (l Line) Limited() bool { return l.Limits.RateLimit > 0 || l.Limits.Quota > 0 }
