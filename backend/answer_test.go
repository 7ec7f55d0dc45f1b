package backend_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/hashicorp/vault/sdk/helper/testhelpers/schema"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend"
)

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
	return m.send(m.ctx, &logical.Request{Operation: op, Path: path, Data: data})
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
	if req.ID == "" {
		req.ID = cmp.Or(m.request, rand.Text())
	}
	req.Data = throughJSON(m.t, req.Data)
	if req.ClientToken == "" {
		req.ClientToken, req.ClientTokenAccessor = "h1:token", "kF9CQTlvUgTnEB7L5hE5ryqO"
		req.DisplayName, req.EntityID = "userpass-ada", "3d2c9a0e-8b4f-4d0b-9a51-0a2d5c1be7f4"
	}
	if req.Operation == logical.UpdateOperation {
		checked, exists, err := m.backend.HandleExistenceCheck(ctx, req)
		if err != nil && err != logical.ErrUnsupportedPath { // which the request meets itself
			// Core logs the cause and answers with a text of its own.
			return answer{status: http.StatusInternalServerError, text: "internal error"}
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
			logical.AdjustErrorStatusCode(&a.status, cause)
		}
		m.secrets.mustNotAppear(m.t, "the error of "+req.Path, a.text)
		return a
	case resp == nil && status == 0:
		a.status = http.StatusNoContent
	case status == 0:
		a.status = http.StatusOK
	}
	if resp != nil {
		if status, ok := resp.Data[logical.HTTPStatusCode].(int); ok {
			a.status = status
		}
	}
	resp = delivered(m.t, resp)
	m.declared(req, resp)
	if resp != nil {
		a.data, a.warnings, a.secret = throughJSON(m.t, resp.Data), resp.Warnings, resp.Secret
		m.secrets.add(a.str("key"))
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

// declared holds a response strictly against its declaration.
func (m *mount) declared(req *logical.Request, resp *logical.Response) {
	m.t.Helper()
	if resp == nil || req.Operation == logical.RenewOperation || req.Operation == logical.HelpOperation {
		return
	}
	path := backend.RouteOf(m.backend, req.Path)
	if _, raw := resp.Data[logical.HTTPRawBody]; raw {
		return // authorize, which answers a gateway and no client of Vault
	}
	schema.ValidateResponse(m.t, schema.GetResponseSchema(m.t, path, req.Operation), resp, true)
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
