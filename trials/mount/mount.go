// Package mount is a whole mount of the engine on storage in memory, asked as Vault's
// core asks it, in this process and, where a test puts it into a bubble of
// testing/synctest, in fake time. Each answer is held against its declaration, and what
// a mount leaves in its log and its storage against what must not be there.
package mount

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend"
	"vault-plugin-secrets-apikeys/backend/clock"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/inspect"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// Pass lets time pass as a mount lives through it: with its periodic hook.
func (m *Mount) Pass(d time.Duration) {
	m.T.Helper()
	for d > 0 {
		step := min(d, time.Minute)
		m.Periodic()
		time.Sleep(step)
		d -= step
	}
	m.Periodic()
}

// Periodic runs the hook that Vault runs each minute.
func (m *Mount) Periodic() {
	m.T.Helper()
	_, err := m.Backend.HandleRequest(context.Background(), &logical.Request{Operation: logical.RollbackOperation, Storage: m.Storage})
	if err != nil && err != logical.ErrUnsupportedOperation {
		m.T.Fatal(err)
	}
}

// Reserved is what storage says of a key's quota.
func (m *Mount) Reserved(id string) int {
	q, _, err := store.New(m.Storage).Quota(context.Background(), id)
	if err != nil {
		m.T.Fatal(err)
	}
	return int(q.Total)
}

// Mount is one mount in this process, driven as Vault's core would.
type Mount struct {
	T       *testing.T
	Backend logical.Backend
	Storage *memory.Storage
	System  *System
	Log     *Journal
	Events  Journal         // what the event system was sent
	Secrets *Secrets        // of the keys that this mount and its successors showed
	Ctx     context.Context // of what Do sends
	Request string          // id of the requests, a new one for each where it is ""

	// Faulty mounts recover panics, and their test looks at the storage itself.
	Faulty bool

	// Process makes the mounts of one process. Without one, each has its own.
	Process logical.Factory

	// Wrong is by how much the wall clock is ahead of the machine's.
	Wrong atomic.Int64
}

// DefaultTTL and MaxTTL are those of the mount, as Vault tells them.
const (
	DefaultTTL = 24 * time.Hour
	MaxTTL     = 30 * 24 * time.Hour
)

// New is a mount on empty storage. Its configured hashing cost is the least
// that can be computed, written past config, which would refuse it.
func New(t *testing.T) *Mount {
	storage := memory.New()
	SetCost(t, storage, keyhash.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1})
	return On(t, storage)
}

// SetCost writes a hashing cost as an earlier version of the engine might have.
func SetCost(t *testing.T, storage logical.Storage, cost keyhash.Params) {
	t.Helper()
	_, err := store.New(storage).UpdateConfig(t.Context(), func(c *record.Config) error {
		c.Argon2MemoryKiB, c.Argon2Iterations, c.Argon2Parallelism = cost.MemoryKiB, cost.Iterations, cost.Parallelism
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// FlushRarely lets a mount that lives through weeks of fake time write last uses
// down once an hour.
func (m *Mount) FlushRarely() {
	m.T.Helper()
	_, err := store.New(m.Storage).UpdateConfig(m.T.Context(), func(c *record.Config) error {
		c.UsageFlushInterval = record.MaxFlushInterval
		return nil
	})
	if err != nil {
		m.T.Fatal(err)
	}
	m.Restart()
}

// On is a mount on this storage, initialised.
func On(t *testing.T, storage *memory.Storage) *Mount {
	t.Helper()
	m := &Mount{
		T:       t,
		Storage: storage,
		System: NewSystem(logical.StaticSystemView{
			DefaultLeaseTTLVal: DefaultTTL,
			MaxLeaseTTLVal:     MaxTTL,
			PluginEnvironment:  &logical.PluginEnvironment{VaultVersion: "1.21.4"},
		}),
		Log:     new(Journal),
		Ctx:     context.Background(),
		Secrets: new(Secrets),
	}
	m.Open()
	t.Cleanup(m.End)
	return m
}

// Open makes the backend on what the storage holds and initialises it.
func (m *Mount) Open() {
	m.T.Helper()
	config := &logical.BackendConfig{
		Logger:       hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: m.Log}),
		System:       m.System,
		StorageView:  m.Storage,
		EventsSender: &m.Events,
		BackendUUID:  "7e8b7e0a-4c54-4d0e-9a3c-0d5f7c1c2f10",
	}
	var err error
	factory := m.Process
	if factory == nil {
		factory = backend.FactoryUnder(keyhash.NewHasher(2), m.clock)
	}
	m.Backend, err = factory(context.Background(), config)
	if err != nil {
		m.T.Fatal(err)
	}
	err = m.Backend.Initialize(context.Background(), &logical.InitializationRequest{Storage: m.Storage})
	if err != nil {
		m.T.Fatal(err)
	}
}

// clock goes by the machine's, and takes what is Wrong ahead of it for the wall clock.
func (m *Mount) clock(told func(clock.Change)) *clock.Clock {
	born := time.Now()
	return clock.From(func() (time.Time, time.Duration) {
		now := time.Now()
		return now.Add(time.Duration(m.Wrong.Load())), now.Sub(born)
	}, told)
}

// Restart is what a new process finds: the storage, and nothing in memory.
func (m *Mount) Restart() {
	m.T.Helper()
	m.Backend.Cleanup(context.Background())
	m.Open()
}

// End stops the mount and looks at what it leaves behind.
func (m *Mount) End() {
	m.Storage.Intercept(nil)
	m.Backend.Cleanup(context.Background())
	if !m.Faulty {
		for _, p := range m.Problems() {
			m.T.Errorf("storage is left with: %v", p)
		}
	}
	log := m.Log.String()
	if !m.Faulty && strings.Contains(log, "a fault in the plugin") {
		m.T.Errorf("a panic was recovered:\n%s", log)
	}
	m.Secrets.MustNotAppear(m.T, "the log", log)
	m.Secrets.MustNotAppear(m.T, "an event", m.Events.String())
	for path, value := range m.Storage.Dump() {
		m.Secrets.MustNotAppear(m.T, "storage under "+path, string(value))
	}
}

// Problems are what a check of the storage finds.
func (m *Mount) Problems() []inspect.Problem {
	m.T.Helper()
	found, err := inspect.Mount(context.Background(), m.Storage, record.At(time.Now()))
	if err != nil {
		m.T.Fatal(err)
	}
	return found
}

// Tidy runs tidy to its end and answers its state.
func (m *Mount) Tidy() string {
	m.T.Helper()
	m.Must("tidy", nil)
	for range 10_000 {
		if state := m.Read("tidy-status").Str("state"); state != "running" {
			return state
		}
		time.Sleep(time.Millisecond)
	}
	m.T.Fatal("tidy does not end")
	return ""
}
