package backend_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
)

// mount is one mount in this process, driven as Vault's core would.
type mount struct {
	t       *testing.T
	backend logical.Backend
	storage *memory
	system  *logical.StaticSystemView
	log     *journal
	secrets *secrets        // of the keys that this mount and its successors showed
	ctx     context.Context // of what do sends
	request string          // id of the requests, a new one for each where it is ""

	// faulty mounts recover panics, and their test looks at the storage itself.
	faulty bool

	// process makes the mounts of one process. Without one, each has its own.
	process logical.Factory

	// wrong is by how much the wall clock is ahead of the machine's.
	wrong atomic.Int64
}

const (
	mountDefaultTTL = 24 * time.Hour
	mountMaxTTL     = 30 * 24 * time.Hour
)

// newMount is a mount on empty storage. Its configured hashing cost is the least
// that can be computed, written past config, which would refuse it.
func newMount(t *testing.T) *mount {
	storage := newMemory()
	setCost(t, storage, keyhash.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1})
	return mountOn(t, storage)
}

// setCost writes a hashing cost as an earlier version of the engine might have.
func setCost(t *testing.T, storage logical.Storage, cost keyhash.Params) {
	t.Helper()
	_, err := store.New(storage).UpdateConfig(t.Context(), func(c *record.Config) error {
		c.Argon2MemoryKiB, c.Argon2Iterations, c.Argon2Parallelism = cost.MemoryKiB, cost.Iterations, cost.Parallelism
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// flushRarely lets a mount that lives through weeks of fake time write last uses
// down once an hour.
func (m *mount) flushRarely() {
	m.t.Helper()
	_, err := store.New(m.storage).UpdateConfig(m.t.Context(), func(c *record.Config) error {
		c.UsageFlushInterval = record.MaxFlushInterval
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.restart()
}

// mountOn is a mount on this storage, initialised.
func mountOn(t *testing.T, storage *memory) *mount {
	t.Helper()
	m := &mount{
		t:       t,
		storage: storage,
		system: &logical.StaticSystemView{
			DefaultLeaseTTLVal: mountDefaultTTL,
			MaxLeaseTTLVal:     mountMaxTTL,
			PluginEnvironment:  &logical.PluginEnvironment{VaultVersion: "1.21.4"},
		},
		log:     new(journal),
		ctx:     context.Background(),
		secrets: new(secrets),
	}
	m.open()
	t.Cleanup(m.end)
	return m
}

// open makes the backend on what the storage holds and initialises it.
func (m *mount) open() {
	m.t.Helper()
	config := &logical.BackendConfig{
		Logger:      hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: m.log}),
		System:      m.system,
		StorageView: m.storage,
		BackendUUID: "7e8b7e0a-4c54-4d0e-9a3c-0d5f7c1c2f10",
	}
	var err error
	factory := m.process
	if factory == nil {
		factory = backend.FactoryUnder(keyhash.NewHasher(2), func() time.Duration { return time.Duration(m.wrong.Load()) })
	}
	m.backend, err = factory(context.Background(), config)
	if err != nil {
		m.t.Fatal(err)
	}
	err = m.backend.Initialize(context.Background(), &logical.InitializationRequest{Storage: m.storage})
	if err != nil {
		m.t.Fatal(err)
	}
}

// restart is what a new process finds: the storage, and nothing in memory.
func (m *mount) restart() {
	m.t.Helper()
	m.backend.Cleanup(context.Background())
	m.open()
}

// end stops the mount and looks at what it leaves behind.
func (m *mount) end() {
	m.storage.intercept(nil)
	m.backend.Cleanup(context.Background())
	if !m.faulty {
		for _, p := range m.problems() {
			m.t.Errorf("storage is left with: %v", p)
		}
	}
	log := m.log.String()
	if !m.faulty && strings.Contains(log, "a fault in the plugin") {
		m.t.Errorf("a panic was recovered:\n%s", log)
	}
	m.secrets.mustNotAppear(m.t, "the log", log)
	for path, value := range m.storage.dump() {
		m.secrets.mustNotAppear(m.t, "storage under "+path, string(value))
	}
}

// problems are what a check of the storage finds.
func (m *mount) problems() []store.Problem {
	m.t.Helper()
	found, err := store.Check(context.Background(), m.storage, record.At(time.Now()))
	if err != nil {
		m.t.Fatal(err)
	}
	return found
}

// tidy runs tidy to its end and answers its state.
func (m *mount) tidy() string {
	m.t.Helper()
	m.must("tidy", nil)
	for range 10_000 {
		if state := m.read("tidy-status").str("state"); state != "running" {
			return state
		}
		time.Sleep(time.Millisecond)
	}
	m.t.Fatal("tidy does not end")
	return ""
}

// journal is a log that many goroutines write.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
