package paths

import (
	"context"
	"net/http"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/question"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verdict"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// authorizeFields come in a body, or in headers. A read has no body, and takes
// only cost from its query.
var authorizeFields = fields{
	"cost":      questionFields["cost"],
	"scopes":    {kind: list, help: "Scopes that the request needs, all of them, instead of the header X-Required-Scopes; [] or - for none. Not in a query.", noQuery: true},
	"client_ip": {kind: word, help: "Address of the caller, as the gateway saw it, instead of the header X-Client-Ip. Not in a query.", noQuery: true},
}

// authorizeKey may be empty: what verify calls a mistake is a refusal here, for
// a gateway's client chooses what is in it.
var authorizeKey = fields{"key": {kind: text, help: "The key itself, instead of the header X-API-Key.", secret: true}}

const authorizeHelp = `Decides like verify, for gateways that go by the HTTP status: 200, 401 or 403. The body is one line of JSON with the code; headers X-Apikey-Code, X-Apikey-Id, X-Apikey-Owner, X-Apikey-Scopes and Retry-After say more, where the mount allows them (allowed_response_headers). They are 2 KiB at most: scopes that are longer are left out, and X-Apikey-Scopes-Omitted says true.

The key comes in the header X-API-Key, or in the body of a write. Needed scopes and the caller's address come in the body of a write or in the headers X-Required-Scopes and X-Client-Ip, where the mount passes them on; in a query they are refused, because a query loses what it cannot parse and lets a client add to it. What comes twice is refused: parameters are the gateway's, headers may be its client's, so a gateway sets or strips all three always.

A spent limit answers 403, with the code and Retry-After in headers: nginx knows only 401 and 403, and Vault Proxy retries a 429.`

// Authorize answers by the HTTP status.
type Authorize struct{ Verifier Verifier }

func (a Authorize) routes() []route {
	status := fields{"code": {kind: word, help: "valid, or why not.", sometimes: true}}
	ops := operations{
		logical.ReadOperation:   {summary: "Authorize by the key in the header X-API-Key.", takes: authorizeFields, answers: status, handler: a.authorize},
		logical.UpdateOperation: {summary: "Authorize by the key in the header X-API-Key or in the body.", takes: authorizeFields.with(authorizeKey), answers: status, handler: a.authorize},
	}
	return []route{
		{"authorize", "Answer by the HTTP status whether a key is good for a request.", authorizeHelp, nil, ops},
		{"authorize/(?P<role>[^/]+)", "The same for keys of this role.", authorizeHelp, roleName, ops},
	}
}

func (a Authorize) authorize(ctx context.Context, r request) (*logical.Response, error) {
	if r.WrapInfo != nil {
		return nil, question.ErrWrapped
	}
	if err := refuseQuery(r); err != nil {
		return nil, err
	}
	ok, err := question.Merge(r.in, func(name string) []string { return header(r.Request, name) })
	if err != nil {
		return nil, err
	}
	q := question.Question{Request: verify.Request{Role: r.in.word("role")}} // without a key it is invalid
	if ok {
		if q, err = question.Of(r.in, get[apikey.Presented](r.in, "key"), q.Role); err != nil {
			return nil, err
		}
	}
	d, err := a.Verifier.Verify(ctx, q.Request)
	if err != nil {
		return nil, err
	}
	return statusAnswer(&d), nil
}

// refuseQuery refuses a restriction that stands in a query. Vault drops the pairs
// of a query that it cannot parse, and a client whose path was put into one adds
// to it: what arrives need not be what the gateway meant.
func refuseQuery(r request) error {
	for _, h := range question.Headers {
		if r.Operation == logical.ReadOperation && h.Parameter != "key" && r.in.has(h.Parameter) {
			return record.Mistakef("%s in a query is refused, which loses what it cannot parse and lets a client add to it: send the header %s, or a write", h.Parameter, h.Header)
		}
	}
	return nil
}

// statusAnswer puts a decision into the HTTP status and headers.
func statusAnswer(d *verify.Decision) *logical.Response {
	status := d.Code.HTTPStatus()
	if status == http.StatusTooManyRequests {
		status = http.StatusForbidden
	}
	return &logical.Response{
		Headers: verdict.Headers(d),
		Data: map[string]any{
			logical.HTTPStatusCode:  status,
			logical.HTTPContentType: "application/json",
			logical.HTTPRawBody:     []byte(`{"code":"` + string(d.Code) + `"}` + "\n"),
		},
	}
}
