package paths

import (
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/scope"
	"vault-plugin-secrets-apikeys/backend/verdict"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// questionFields are one question about one key.
var questionFields = presentedKey.with(fields{
	"scopes":    {kind: list, help: "Scopes that the request needs, all of them; [] or - for none."},
	"client_ip": {kind: word, help: "Address of the caller, as the gateway saw it."},
	"cost":      {kind: count, help: "What the request takes from rate and quota. Default 1; 0 takes nothing."},
	"brief":     {kind: flag, help: "Answer valid, code, http_status, key_id and owner only."},
})

var verifyFields = questionFields.with(fields{
	"batch_input": {kind: objects, help: "Instead of all others: 1 to 1000 objects with these parameters, decided in order."},
})

// verifyAnswer is a verdict, or those of a batch.
var verifyAnswer = func() fields {
	declared := fields{"batch_results": {kind: objects, help: "To a batch: an answer for each item, in order, or error and http_status.", sometimes: true}}
	for _, f := range verdict.Fields() {
		declared[f.Name] = field{kind: kindOf(f.Value(&verify.Decision{})), help: f.Help, sometimes: true}
	}
	return declared
}()

const verifyHelp = `Decides whether a presented key is good for one request. The answer is 200 for every verdict: look at valid, and pass http_status on.

Send the key in the body. A read takes it from the header X-API-Key, where the mount passes that header on. Never put it in the URL: Vault writes query strings into its audit log in clear.`

func (sv *Services) verifyPath() *framework.Path {
	return sv.path("verify", "Is this key good for this request?", verifyHelp, nil, sv.verifyOperations())
}

func (sv *Services) verifyRolePath() *framework.Path {
	return sv.path("verify/(?P<role>[^/]+)", "Is this a key of this role, and good for this request?", verifyHelp, roleName, sv.verifyOperations())
}

func (sv *Services) verifyOperations() map[logical.Operation]operation {
	return map[logical.Operation]operation{
		logical.UpdateOperation: {summary: "Verify a key.", takes: verifyFields, answers: verifyAnswer, handler: sv.verifyBody},
		logical.ReadOperation:   {summary: "Verify the key in the header X-API-Key.", takes: questionFields, answers: verifyAnswer, handler: sv.verifyHeader},
	}
}

func (sv *Services) verifyBody(ctx context.Context, r request) (*logical.Response, error) {
	if r.in.has("batch_input") {
		return sv.verifyBatch(ctx, r)
	}
	key, err := r.in.key()
	if err != nil {
		return nil, err
	}
	return sv.verify(ctx, r, key)
}

func (sv *Services) verifyHeader(ctx context.Context, r request) (*logical.Response, error) {
	inHeader := header(r.Request, "X-API-Key")
	if r.in.has("key") {
		config, err := sv.Store.Config(ctx)
		if err != nil {
			return nil, err
		}
		if !config.AllowKeyInQuery {
			return nil, record.Mistake("a key in the URL's query stands in Vault's audit log in clear: consider this key leaked, and send keys in the body or in the header X-API-Key")
		}
		if len(inHeader) > 0 {
			return nil, record.Mistake("the key stands in the query and in the header X-API-Key")
		}
		return sv.verify(ctx, r, get[apikey.Presented](r.in, "key"))
	}
	switch {
	case len(inHeader) == 0:
		return nil, record.Mistake("no header X-API-Key: send it, and let the mount pass it on (passthrough_request_headers)")
	case len(inHeader) > 1:
		return nil, record.Mistake("more than one header X-API-Key")
	case inHeader[0] == "":
		return nil, record.Mistake("the header X-API-Key is empty")
	}
	return sv.verify(ctx, r, apikey.Present(inHeader[0]))
}

// header are the values of one request header. Vault passes on what the mount
// was tuned to, under the name that it was tuned to.
func header(r *logical.Request, name string) (values []string) {
	for n, v := range r.Headers {
		if strings.EqualFold(n, name) {
			values = append(values, v...)
		}
	}
	return values
}

func (sv *Services) verify(ctx context.Context, r request, key apikey.Presented) (*logical.Response, error) {
	q, err := question(r.in, key, r.in.word("role"))
	if err != nil {
		return nil, err
	}
	if r.Operation == logical.ReadOperation {
		// What stands in a query may be half of what was sent: Vault drops a pair
		// that it cannot parse.
		q.ScopesNamed = false
	}
	d, err := sv.Verifier.Verify(ctx, q)
	if err != nil {
		return nil, err
	}
	return answer(verdict.Data(&d, get[bool](r.in, "brief"))), nil
}

// question is what a gateway asks about a key.
func question(in input, key apikey.Presented, role string) (verify.Request, error) {
	q := verify.Request{
		Key:         key,
		Role:        role,
		Scopes:      get[[]string](in, "scopes"),
		ScopesNamed: in.has("scopes"),
		Cost:        1,
	}
	if slices.Equal(q.Scopes, []string{scope.None}) {
		q.Scopes = nil
	}
	set(in, "cost", &q.Cost)
	if err := record.CheckScopes("scopes", q.Scopes); err != nil {
		return q, err
	}
	if in.has("client_ip") {
		addr, err := network.ParseAddr(in.word("client_ip"))
		if err != nil {
			return q, record.Mistake("client_ip must be one IP address")
		}
		q.ClientIP = addr
	}
	return q, nil
}
