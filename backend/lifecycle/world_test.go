package lifecycle

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-apikeys/backend/ends"
	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/proof"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/upkeep"
	"vault-plugin-secrets-apikeys/backend/usage"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/watch"
	"vault-plugin-secrets-apikeys/trials/inspect"
	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/ticks"
)

const (
	hour  = record.Seconds(3600)
	start = record.Time(1_000_000)
)

var errDisk = errors.New("disk trouble")

// fails is trouble with one operation on paths that begin so.
func fails(op, prefix string) memory.Fail { return memory.On(op, prefix, errDisk) }

// world is the engine of a mount with a role web, unleased, whose keys live for
// ten hours.
type world struct {
	*Engine
	*testing.T
	disk   *memory.Storage
	clock  *ticks.Clock
	proofs *proof.Cache
	uses   *usage.Tracker
	ends   *ends.Seen
	idle   *idle.Ends
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
	w := &world{T: t, disk: memory.New(), clock: ticks.New(start), proofs: proof.New(1000), log: &bytes.Buffer{}, caps: record.Caps{Default: 20 * hour, Max: 100 * hour}}
	records := store.New(w.disk)
	w.ends = ends.New(w.clock)
	w.uses, w.meter = usage.New(records, 1000, func() bool { return true }), limit.NewMeter(records)
	w.idle = idle.New(w.uses, records, func() bool { return true }, w.clock)
	w.Engine = &Engine{
		Store:    records,
		Resolver: lineage.Resolver{Reader: records, Idle: w.idle, Ends: w.ends, Clock: w.clock},
		Hasher:   keyhash.NewHasher(2),
		Clock:    w.clock,
		Random:   w,
		Logger:   hclog.New(&hclog.LoggerOptions{Output: w.log, Level: hclog.Trace}),
		Caps:     func() record.Caps { return w.caps },
		Gone: func(id string) {
			w.uses.Forget(id)
			w.meter.Forget(id)
		},
		Notify: func(_ context.Context, what Event, id string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, string(what)+" "+id)
		},
	}
	standby := &upkeep.Mount{Store: records, Resolver: w.Resolver, Clock: w.clock, Logger: w.Logger, Writable: func() bool { return false }, Noted: func(string) {}}
	watched := watch.New(watch.Mount{
		Store: records, Uses: w.uses, Ends: w.ends, Clock: w.clock, Logger: w.Logger,
		Writable: func() bool { return true }, Notify: func(context.Context, string, ...string) {},
	})
	w.Refused = watched.Observe
	prover := &verify.ByHash{Reader: records, Matcher: w.Hasher, Proofs: w.proofs, Traps: watched, Writable: watched.Writable}
	w.Prover, w.Revoker = prover, prover
	w.verify = &verify.Verifier{
		Prover: prover, Resolver: w.Resolver, Limiter: w.meter,
		Observer: observing(upkeep.NewFlusher(standby, w.uses, w.meter).Observe),
	}
	w.setCost(8, 1)
	w.must(w.Store.EnsureTagKey(t.Context(), rand.Reader))
	w.role("web", func(r *record.Role) {
		r.UID, r.TTL, r.AllowedScopes, r.GenerateLease = "u1", 10*hour, []string{"*"}, false
	})
	t.Cleanup(func() {
		w.disk.Intercept(nil)
		problems, err := inspect.Mount(context.Background(), w.disk.Clone(), w.clock.Now())
		if err != nil || len(slices.DeleteFunc(problems, func(p inspect.Problem) bool { return p.Leftover })) > 0 {
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
	writes, events := w.disk.Writes(), len(w.events)
	run()
	if w.disk.Writes() != writes || len(w.events) != events {
		w.Errorf("%d writes, events %q", w.disk.Writes()-writes, w.events[events:])
	}
}

// each shows every entry of storage.
func (w *world) each(show func(path, value string)) {
	w.Helper()
	for path, value := range w.disk.Dump() {
		show(path, string(value))
	}
}

// is tells whether an error is this one.
func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }

// observing is an observer by one part of a mount.
type observing func(*verify.Observation)

func (tell observing) Observe(o verify.Observation) { tell(&o) }
