package edge_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
)

// vault is a node of Vault as gates reach it: the real paths of a whole mount. Others
// may ask it while it is restarted, as they do in Vault.
type vault struct {
	m       *mount.Mount
	backend atomic.Pointer[logical.Backend]
	calls   calls
	asleep  atomic.Pointer[chan struct{}] // closed when it wakes
}

// newVault is a node on empty storage.
func newVault(t *testing.T) *vault {
	t.Helper()
	return seen(mount.New(t))
}

// vaultOn is another node, or a process after a restart, on this storage.
func vaultOn(t *testing.T, storage *memory.Storage) *vault {
	t.Helper()
	m := mount.On(t, storage)
	m.Faulty = true // who shares a storage does not look after it
	return seen(m)
}

func seen(m *mount.Mount) *vault {
	v := &vault{m: m}
	v.put(m.Backend)
	return v
}

// put makes a backend the one that is asked.
func (v *vault) put(b logical.Backend) { v.backend.Store(&b) }

// restart is what a killed plugin becomes: a new process on the same storage.
func (v *vault) restart() {
	v.m.T.Helper()
	v.m.Restart() // meanwhile the one before is asked
	v.put(v.m.Backend)
}

// calls are how often gates asked, and of how many texts.
type calls struct{ changes, resolve, confirm, reserve, report, texts, invalid atomic.Int64 }

func (v *vault) Changes(ctx context.Context, p wire.Poll) (wire.Changes, error) {
	v.calls.changes.Add(1)
	return ask[wire.Changes](ctx, v, "changes", "", p)
}

func (v *vault) Resolve(ctx context.Context, role string, a wire.Ask) (wire.Told, error) {
	v.calls.resolve.Add(1)
	v.calls.texts.Add(int64(len(a.Keys)))
	told, err := ask[wire.Told](ctx, v, "resolve", role, a)
	for _, r := range told.Results {
		if r.Code == wire.CodeInvalid {
			v.calls.invalid.Add(1)
		}
	}
	return told, err
}

func (v *vault) Confirm(ctx context.Context, c wire.Confirm) (wire.Confirmed, error) {
	v.calls.confirm.Add(1)
	return ask[wire.Confirmed](ctx, v, "confirm", "", c)
}

func (v *vault) Reserve(ctx context.Context, role string, r wire.Reserve) (wire.Grants, error) {
	v.calls.reserve.Add(1)
	return ask[wire.Grants](ctx, v, "reserve", role, r)
}

func (v *vault) Report(ctx context.Context, role string, r wire.Report) error {
	v.calls.report.Add(1)
	_, err := ask[wire.Reported](ctx, v, "report", role, r)
	return err
}

// ask sends what a gate says as Vault hands it to a plugin, and reads the body as the
// gate does.
func ask[A any](ctx context.Context, v *vault, path, role string, question any) (A, error) {
	var body struct {
		Data A `json:"data"`
	}
	path = "gate/" + path
	if role != "" {
		path += "/" + role
	}
	data, err := parameters(question)
	if err != nil {
		return body.Data, err
	}
	resp, err := v.handle(ctx, path, data)
	if err != nil || resp == nil {
		return body.Data, err
	}
	raw, _ := resp.Data[logical.HTTPRawBody].([]byte)
	if err := json.Unmarshal(raw, &body); err != nil {
		return body.Data, fmt.Errorf("the body of %s: %w", path, err)
	}
	return body.Data, nil
}

// suspend has the node stand still until it is woken, with all that it is asked.
func (v *vault) suspend() (wake func()) {
	asleep := make(chan struct{})
	v.asleep.Store(&asleep)
	return func() { v.asleep.Store(nil); close(asleep) }
}

// depose has the node's storage refuse to write, as raft does where another leads.
func (v *vault) depose() {
	v.m.Faulty = true
	v.m.Storage.Intercept(memory.Before(memory.On("put", "", memory.ErrStorage)))
}

// awake waits until the node is.
func (v *vault) awake(ctx context.Context) error {
	asleep := v.asleep.Load()
	if asleep == nil {
		return nil
	}
	select {
	case <-*asleep:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// handle is an update as core passes it on, an error where a client would see one.
func (v *vault) handle(ctx context.Context, path string, data map[string]any) (resp *logical.Response, err error) {
	if err := v.awake(ctx); err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(v.awake(ctx), err) }()
	backend := *v.backend.Load()
	req := &logical.Request{
		Operation: logical.UpdateOperation, Path: path, Data: data, Storage: v.m.Storage, ID: rand.Text(),
		ClientToken: "h1:gate", ClientTokenAccessor: "9sV1yQbX0mT6cKf3LZr8HnWa", DisplayName: "gate",
	}
	resp, err = backend.HandleRequest(ctx, req)
	if err == nil && !resp.IsError() {
		return resp, nil
	}
	status, cause := logical.RespondErrorCommon(req, resp, err)
	if cause != nil {
		logical.AdjustErrorStatusCode(&status, cause)
	}
	return nil, refused{status, fmt.Sprint(cause)}
}

// refused is what a client hears that was not answered.
type refused struct {
	status int
	text   string
}

func (r refused) Error() string {
	return fmt.Sprint(r.status, " ", http.StatusText(r.status), ": ", r.text)
}

func parameters(question any) (data map[string]any, err error) {
	sent, err := json.Marshal(question)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(sent))
	decoder.UseNumber()
	return data, decoder.Decode(&data)
}
