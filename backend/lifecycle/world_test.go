package lifecycle

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/ends"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/proof"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/upkeep"
	"vault-plugin-secrets-apikeys/backend/usage"
	"vault-plugin-secrets-apikeys/backend/verify"
)

const (
	hour  = record.Seconds(3600)
	start = record.Time(1_000_000)
)

var errDisk = errors.New("disk trouble")

// disk is storage in memory that counts writes and can be told to fail.
type disk struct {
	logical.InmemStorage
	fail   func(op, path string) error
	writes atomic.Int64
}

func (d *disk) failing(op, path string) error {
	if d.fail == nil {
		return nil
	}
	return d.fail(op, path)
}

func (d *disk) Get(ctx context.Context, path string) (*logical.StorageEntry, error) {
	if err := d.failing("get", path); err != nil {
		return nil, err
	}
	return d.InmemStorage.Get(ctx, path)
}

func (d *disk) List(ctx context.Context, path string) ([]string, error) {
	if err := d.failing("list", path); err != nil {
		return nil, err
	}
	return d.InmemStorage.List(ctx, path)
}

func (d *disk) Put(ctx context.Context, e *logical.StorageEntry) error {
	d.writes.Add(1)
	if err := d.failing("put", e.Key); err != nil {
		return err
	}
	return d.InmemStorage.Put(ctx, e)
}

func (d *disk) Delete(ctx context.Context, path string) error {
	d.writes.Add(1)
	return d.InmemStorage.Delete(ctx, path)
}

// fails is a hook for one operation on paths that begin so.
func fails(op, prefix string) func(op, path string) error {
	return func(o, path string) error {
		if o == op && strings.HasPrefix(path, prefix) {
			return errDisk
		}
		return nil
	}
}

// ticks is a clock that moves when told, and is as certain as it is told to be.
type ticks struct {
	now     atomic.Int64
	certain func(ago record.Seconds) bool // nil: always
	dated   func(t record.Time) record.Time
	backs   int
}

func (c *ticks) Now() record.Time       { return record.Time(c.now.Load()) }
func (c *ticks) move(s record.Seconds)  { c.now.Add(int64(s)) }
func (c *ticks) Elapsed() time.Duration { return time.Duration(c.now.Load()) * time.Second }
func (c *ticks) TakenBack() int         { return c.backs }

func (*ticks) Undone(_, _ time.Duration) bool { return false }

func (c *ticks) Settled(ago record.Seconds) bool { return c.certain == nil || c.certain(ago) }

func (c *ticks) Dated(t record.Time) record.Time {
	if c.dated == nil {
		return t
	}
	return c.dated(t)
}

// world is the engine of a mount with a role web, unleased, whose keys live for
// ten hours.
type world struct {
	*Engine
	*testing.T
	disk   *disk
	clock  *ticks
	proofs *proof.Cache
	uses   *usage.Tracker
	ends   *ends.Seen
	meter  *limit.Meter
	log    *bytes.Buffer
	verify *verify.Verifier
	caps   record.Caps

	mu     sync.Mutex
	events []string
	during func() // runs once, while the next key is minted
}

// Read is the engine's randomness, and with it what happens during a hash.
func (w *world) Read(p []byte) (int, error) {
	if during := w.during; during != nil {
		w.during = nil
		during()
	}
	return rand.Read(p)
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, disk: &disk{}, clock: &ticks{}, proofs: proof.New(1000), log: &bytes.Buffer{}, caps: record.Caps{Default: 20 * hour, Max: 100 * hour}}
	w.clock.now.Store(int64(start))
	records := store.New(w.disk)
	w.ends = ends.New(w.clock)
	w.uses, w.meter = usage.New(records, 1000, func() bool { return true }, start), limit.NewMeter(records)
	w.Engine = &Engine{
		Store:    records,
		Resolver: lineage.Resolver{Reader: records, Uses: w.uses, Ends: w.ends, Clock: w.clock},
		Hasher:   keyhash.NewHasher(2),
		Clock:    w.clock,
		Random:   w,
		Logger:   hclog.New(&hclog.LoggerOptions{Output: w.log, Level: hclog.Trace}),
		Caps:     func() record.Caps { return w.caps },
		Gone: func(id string) {
			w.uses.Forget(id)
			w.ends.Forget(id)
			w.meter.Forget(id)
		},
		Notify: func(_ context.Context, what Event, id string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, string(what)+" "+id)
		},
	}
	standby := &upkeep.Mount{Store: records, Resolver: w.Resolver, Clock: w.clock, Logger: w.Logger, Writable: func() bool { return false }}
	idle := upkeep.NewIdleEnds(standby, w.uses)
	t.Cleanup(idle.Stop)
	prover := &verify.Prover{Reader: records, Matcher: w.Hasher, Proofs: w.proofs}
	w.Prover, w.Revoker = prover, prover
	w.verify = &verify.Verifier{
		Prover: prover, Resolver: w.Resolver, Limiter: w.meter,
		Observer: verify.Observers{upkeep.NewFlusher(standby, w.uses, w.meter), idle},
	}
	w.setCost(8, 1)
	w.must(w.Store.EnsureTagKey(t.Context(), rand.Reader))
	w.role("web", func(r *record.Role) {
		r.UID, r.TTL, r.AllowedScopes, r.GenerateLease = "u1", 10*hour, []string{"*"}, false
	})
	t.Cleanup(func() {
		w.disk.fail = nil
		problems, err := store.Check(context.Background(), &w.disk.InmemStorage, w.clock.Now())
		if err != nil || len(slices.DeleteFunc(problems, func(p store.Problem) bool { return p.Leftover })) > 0 {
			t.Errorf("storage is left with %v, %v", problems, err)
		}
	})
	return w
}

// setCost sets a hashing cost that config would refuse, because tests are many.
func (w *world) setCost(memoryKiB, iterations uint32) {
	w.Helper()
	_, err := w.Store.UpdateConfig(w.Context(), func(c *record.Config) error {
		c.Argon2MemoryKiB, c.Argon2Iterations, c.Argon2Parallelism = memoryKiB, iterations, 1
		return nil
	})
	w.must(err)
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) role(name string, change func(r *record.Role)) {
	w.Helper()
	_, err := w.Store.UpdateRole(w.Context(), name, func(r record.Role, found bool) (record.Role, error) {
		if !found {
			r = record.DefaultRole()
		}
		change(&r)
		return r, nil
	})
	w.must(err)
}

// issue is a key of owner acme, asked for by token t1.
func (w *world) issue() Minted {
	w.Helper()
	m, err := w.Issue(w.Context(), IssueRequest{Role: "web", Want: record.Request{Owner: "acme"}, Asker: Asker{Holder: "t1"}})
	w.must(err)
	return m
}

func (w *world) key(id string) record.Key {
	w.Helper()
	k, found, err := store.New(w.disk).Key(w.Context(), id)
	if err != nil || !found {
		w.Fatal("no such key", err)
	}
	return k
}

// code is what verify answers.
func (w *world) code(m Minted) verify.Code {
	w.Helper()
	d, err := w.verify.Verify(w.Context(), verify.Request{Key: m.Text.Presented()})
	w.must(err)
	return d.Code
}

// quiet holds what runs to write nothing and say nothing.
func (w *world) quiet(run func()) {
	w.Helper()
	writes, events := w.disk.writes.Load(), len(w.events)
	run()
	if w.disk.writes.Load() != writes || len(w.events) != events {
		w.Errorf("%d writes, events %q", w.disk.writes.Load()-writes, w.events[events:])
	}
}

// each shows every entry of storage.
func (w *world) each(show func(path, value string)) {
	w.Helper()
	paths, err := logical.CollectKeys(w.Context(), &w.disk.InmemStorage)
	w.must(err)
	for _, path := range paths {
		e, err := w.disk.InmemStorage.Get(w.Context(), path)
		w.must(err)
		show(path, string(e.Value))
	}
}

// is tells whether an error is this one.
func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
