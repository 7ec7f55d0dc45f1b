package backend_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/helper/testhelpers/schema"
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
	secrets *secrets // of the keys that this mount and its successors showed
	settled bool     // its end was checked already

	// faulty mounts recover panics and may leave leftovers on purpose.
	faulty bool
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
	m.backend, err = backend.Factory(keyhash.NewHasher(2))(context.Background(), config)
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
	if m.settled {
		return
	}
	m.settled = true
	m.storage.intercept(nil)
	m.backend.Cleanup(context.Background())
	for _, p := range m.problems() {
		if !m.faulty || !p.Leftover {
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

// answer is what a client would see of a response.
type answer struct {
	status   int
	text     string         // of the error, "" for none
	data     map[string]any // through JSON, as a client gets it
	warnings []string
	secret   *logical.Secret
}

func (a answer) ok() bool { return a.status < 300 }

func (a answer) str(name string) string { s, _ := a.data[name].(string); return s }

// do sends data to a path as Vault's HTTP API would.
func (m *mount) do(op logical.Operation, path string, data map[string]any) answer {
	m.t.Helper()
	return m.send(context.Background(), &logical.Request{Operation: op, Path: path, Data: data})
}

func (m *mount) write(path string, data map[string]any) answer {
	m.t.Helper()
	return m.do(logical.UpdateOperation, path, data)
}

func (m *mount) read(path string) answer {
	m.t.Helper()
	return m.do(logical.ReadOperation, path, nil)
}

// must is write that succeeds.
func (m *mount) must(path string, data map[string]any) answer {
	m.t.Helper()
	a := m.write(path, data)
	if !a.ok() {
		m.t.Fatalf("write %s: %d %s", path, a.status, a.text)
	}
	return a
}

// send passes a request as core does: an update asks first whether it creates.
// Every answer is held strictly against its declaration.
func (m *mount) send(ctx context.Context, req *logical.Request) answer {
	m.t.Helper()
	req.Storage = m.storage
	req.Data = throughJSON(m.t, req.Data)
	if req.ClientToken == "" {
		req.ClientToken = "h1:token"
	}
	if req.Operation == logical.UpdateOperation {
		checked, exists, err := m.backend.HandleExistenceCheck(ctx, req)
		if err != nil {
			return m.answer(req, nil, err)
		}
		if checked && !exists {
			req.Operation = logical.CreateOperation
		}
	}
	resp, err := m.backend.HandleRequest(ctx, req)
	return m.answer(req, resp, err)
}

func (m *mount) answer(req *logical.Request, resp *logical.Response, err error) answer {
	m.t.Helper()
	status, cause := logical.RespondErrorCommon(req, resp, err)
	a := answer{status: status}
	switch {
	case err != nil || resp.IsError():
		if cause != nil {
			a.text = cause.Error()
		}
		m.secrets.mustNotAppear(m.t, "the error of "+req.Path, a.text)
		return a
	case resp == nil && status == 0:
		a.status = http.StatusNoContent
	case status == 0:
		a.status = http.StatusOK
	}
	m.declared(req, resp)
	if resp != nil {
		a.data, a.warnings, a.secret = throughJSON(m.t, resp.Data), resp.Warnings, resp.Secret
		m.secrets.add(a.str("key"))
	}
	return a
}

// declared holds a response strictly against its declaration.
func (m *mount) declared(req *logical.Request, resp *logical.Response) {
	m.t.Helper()
	if resp == nil || req.Operation == logical.RenewOperation || req.Operation == logical.HelpOperation {
		return
	}
	path := backend.RouteOf(m.backend, req.Path)
	schema.ValidateResponse(m.t, schema.GetResponseSchema(m.t, path, req.Operation), resp, true)
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

func throughJSON(t *testing.T, data map[string]any) map[string]any {
	t.Helper()
	raw, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	return back
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
