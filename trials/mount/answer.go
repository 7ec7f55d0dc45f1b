package mount

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/testhelpers/schema"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/opener"
)

// Answer is what a client would see of a response.
type Answer struct {
	Status   int
	Text     string         // of the error, "" for none
	Data     map[string]any // through JSON, as a client gets it
	Warnings []string
	Secret   *logical.Secret
}

// OK tells whether the request was done.
func (a Answer) OK() bool { return a.Status < 300 }

// Str is a field of the answer that is text, "" for none.
func (a Answer) Str(name string) string { s, _ := a.Data[name].(string); return s }

// Key is the key that was answered, in clear or sealed to the known recipient; "" for
// none.
func (a Answer) Key() string {
	return cmp.Or(a.Str("key"), opener.Opened(a.Str("sealed_key")))
}

// Do sends data to a path as Vault's HTTP API would.
func (m *Mount) Do(op logical.Operation, path string, data map[string]any) Answer {
	m.T.Helper()
	return m.Send(m.Ctx, &logical.Request{Operation: op, Path: path, Data: data})
}

// Write sends an update.
func (m *Mount) Write(path string, data map[string]any) Answer {
	m.T.Helper()
	return m.Do(logical.UpdateOperation, path, data)
}

// Read asks for what a path holds.
func (m *Mount) Read(path string) Answer {
	m.T.Helper()
	return m.Do(logical.ReadOperation, path, nil)
}

// Must is Write that succeeds.
func (m *Mount) Must(path string, data map[string]any) Answer {
	m.T.Helper()
	a := m.Write(path, data)
	if !a.OK() {
		m.T.Fatalf("write %s: %d %s", path, a.Status, a.Text)
	}
	return a
}

// Send passes a request as core does: an update asks first whether it creates.
// Every answer is held strictly against its declaration.
func (m *Mount) Send(ctx context.Context, req *logical.Request) Answer {
	m.T.Helper()
	req.Storage = m.Storage
	if req.ID == "" {
		req.ID = cmp.Or(m.Request, rand.Text())
	}
	req.Data = ThroughJSON(m.T, req.Data)
	if req.ClientToken == "" {
		req.ClientToken, req.ClientTokenAccessor = "h1:token", "kF9CQTlvUgTnEB7L5hE5ryqO"
		req.DisplayName, req.EntityID = "userpass-ada", "3d2c9a0e-8b4f-4d0b-9a51-0a2d5c1be7f4"
	}
	if req.Operation == logical.UpdateOperation {
		checked, exists, err := m.Backend.HandleExistenceCheck(ctx, req)
		if err != nil && err != logical.ErrUnsupportedPath { // which the request meets itself
			// Core logs the cause and answers with a text of its own.
			return Answer{Status: http.StatusInternalServerError, Text: "internal error"}
		}
		if checked && !exists {
			req.Operation = logical.CreateOperation
		}
	}
	resp, err := m.Backend.HandleRequest(ctx, req)
	return m.answer(req, resp, err)
}

func (m *Mount) answer(req *logical.Request, resp *logical.Response, err error) Answer {
	m.T.Helper()
	status, cause := logical.RespondErrorCommon(req, resp, err)
	a := Answer{Status: status}
	switch {
	case err != nil || resp.IsError():
		if cause != nil {
			a.Text = cause.Error()
			logical.AdjustErrorStatusCode(&a.Status, cause)
		}
		m.Secrets.MustNotAppear(m.T, "the error of "+req.Path, a.Text)
		return a
	case resp == nil && status == 0:
		a.Status = http.StatusNoContent
	case status == 0:
		a.Status = http.StatusOK
	}
	if resp != nil {
		if status, ok := resp.Data[logical.HTTPStatusCode].(int); ok {
			a.Status = status
		}
	}
	resp = delivered(m.T, resp)
	if status != http.StatusNotFound { // an empty list, of which Vault shows nothing
		m.declared(req, resp)
	}
	if resp != nil {
		a.Data, a.Warnings, a.Secret = ThroughJSON(m.T, resp.Data), resp.Warnings, resp.Secret
		m.Secrets.Add(a.Key())
	}
	return a
}

// delivered is a response as the client gets it: of one that Vault passes on as
// it is, what stands in its body.
func delivered(t *testing.T, resp *logical.Response) *logical.Response {
	t.Helper()
	var envelope logical.HTTPResponse
	if resp == nil {
		return nil
	}
	body, raw := resp.Data[logical.HTTPRawBody].([]byte)
	if !raw || json.Unmarshal(body, &envelope) != nil || envelope.Data == nil {
		return resp
	}
	return logical.HTTPResponseToLogicalResponse(&envelope)
}

// Route is the declaration that a request path leads to, nil if none.
func (m *Mount) Route(path string) *framework.Path {
	return m.Backend.(interface{ Route(string) *framework.Path }).Route(path)
}

// declared holds a response strictly against its declaration.
func (m *Mount) declared(req *logical.Request, resp *logical.Response) {
	m.T.Helper()
	if resp == nil || req.Operation == logical.RenewOperation || req.Operation == logical.HelpOperation {
		return
	}
	path := m.Route(req.Path)
	if _, raw := resp.Data[logical.HTTPRawBody]; raw {
		return // authorize, which answers a gateway and no client of Vault
	}
	schema.ValidateResponse(m.T, schema.GetResponseSchema(m.T, path, req.Operation), resp, true)
}

// ThroughJSON is what becomes of data on their way through Vault.
func ThroughJSON(t *testing.T, data map[string]any) map[string]any {
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

// Code is what verify answers about a text.
func (m *Mount) Code(text string) string {
	m.T.Helper()
	return m.Must("verify", map[string]any{"key": text}).Str("code")
}

// Ask is Do without all that is checked of an answer, for those who ask much.
func (m *Mount) Ask(op logical.Operation, path string, data map[string]any) string {
	m.T.Helper()
	resp, err := m.Backend.HandleRequest(m.Ctx, &logical.Request{Operation: op, Path: path, Data: data, Storage: m.Storage})
	if resp == nil {
		return fmt.Sprint(err)
	}
	// When a key was last used is known to the node that saw it, until the flush.
	delete(resp.Data, "last_used_at")
	delete(resp.Data, "quota_remaining") // likewise, until the block is spent
	versions, _ := resp.Data["versions"].([]map[string]any)
	for _, version := range versions {
		delete(version, "last_used_at")
	}
	return fmt.Sprint(err, resp.Data)
}
