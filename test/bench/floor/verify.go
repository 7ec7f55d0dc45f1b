package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// answers are as long as the engine's, by the last part of the path.
var answers = map[string]json.RawMessage{
	"plain": json.RawMessage(`{"valid":true,"code":"valid","http_status":200,"key_id":"3kTMd9Xq2LwVb7Rc","version":1,"role":"plain","owner":"owner-42","name":"bench","scopes":[],` +
		`"metadata":{"env":"live","plan":"gold"},"expires_at":"2027-01-02T03:04:05Z","rotation_due":false,"superseded":false,"valid_until":"","parent_key_id":""}`),
	"limited": json.RawMessage(`{"valid":true,"code":"valid","http_status":200,"key_id":"3kTMd9Xq2LwVb7Rc","version":1,"role":"limited","owner":"owner-42","name":"bench","scopes":["orders:*","users:read"],` +
		`"metadata":{"env":"live","plan":"gold"},"expires_at":"2027-01-02T03:04:05Z","rotation_due":false,"superseded":false,"valid_until":"","parent_key_id":"",` +
		`"rate_limit":1000000000,"rate_remaining":999999999,"rate_reset_after":1,"quota":1000000000000,"quota_remaining":999999999999,"quota_resets_at":"2027-01-02T03:04:05Z"}`),
	"brief":   json.RawMessage(`{"valid":true,"code":"valid","http_status":200,"key_id":"3kTMd9Xq2LwVb7Rc","owner":"owner-42"}`),
	"invalid": json.RawMessage(`{"valid":false,"code":"invalid","http_status":401}`),
}

// decoded are the answers as a handler has them.
var decoded = func() map[string]map[string]any {
	all := make(map[string]map[string]any)
	for name, text := range answers {
		var data map[string]any
		if err := json.Unmarshal(text, &data); err != nil {
			panic(err)
		}
		all[name] = data
	}
	return all
}()

// passedOn before a name makes a batch's answer one that Vault passes on as it
// is, like the engine's, where an ordinary plugin's is decoded and encoded again.
const passedOn = "passed-on-"

func verifyPath() *framework.Path {
	return &framework.Path{
		Pattern: "verify/(?P<answer>[^/]+)",
		Fields: map[string]*framework.FieldSchema{
			"answer":      {Type: framework.TypeString},
			"key":         {Type: framework.TypeString},
			"scopes":      {Type: framework.TypeCommaStringSlice},
			"client_ip":   {Type: framework.TypeString},
			"cost":        {Type: framework.TypeInt64},
			"brief":       {Type: framework.TypeBool},
			"batch_input": {Type: framework.TypeSlice},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{Callback: verify},
			logical.ReadOperation:   &framework.PathOperation{Callback: verify},
		},
	}
}

// authorizePath answers a gateway by status and headers.
func authorizePath() *framework.Path {
	return &framework.Path{
		Pattern:    "authorize",
		Operations: map[logical.Operation]framework.OperationHandler{logical.ReadOperation: &framework.PathOperation{Callback: authorize}},
	}
}

func authorize(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
	return &logical.Response{
		Headers: map[string][]string{"X-Apikey-Code": {"valid"}, "X-Apikey-Id": {"3kTMd9Xq2LwVb7Rc"}, "X-Apikey-Owner": {"owner-42"}, "X-Apikey-Scopes": {""}},
		Data: map[string]any{
			logical.HTTPStatusCode: 200, logical.HTTPContentType: "application/json", logical.HTTPRawBody: []byte("{\"code\":\"valid\"}\n"),
		},
	}, nil
}

func verify(_ context.Context, r *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get("answer").(string)
	items, isBatch := d.GetOk("batch_input")
	if !isBatch {
		return &logical.Response{Data: decoded[name]}, nil
	}
	results := make([]json.RawMessage, len(items.([]any)))
	for i := range results {
		results[i] = answers[strings.TrimPrefix(name, passedOn)]
	}
	if strings.HasPrefix(name, passedOn) {
		raw, err := logical.RespondWithStatusCode(&logical.Response{Data: map[string]any{"batch_results": results}}, r, http.StatusOK)
		if err == nil {
			body, _ := raw.Data[logical.HTTPRawBody].(string)
			raw.Data[logical.HTTPRawBody] = []byte(body)
		}
		return raw, err
	}
	return &logical.Response{Data: map[string]any{"batch_results": results}}, nil
}
