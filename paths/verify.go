package paths

import (
	"context"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/question"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verdict"
	"vault-plugin-secrets-apikeys/backend/verify"
)

var questionFields = presentedKey.with(fields{
	"scopes":    {kind: question.Kinds["scopes"], help: "Scopes that the request needs, all of them; [] or - for none."},
	"client_ip": {kind: question.Kinds["client_ip"], help: "Address of the caller, as the gateway saw it."},
	"cost":      {kind: question.Kinds["cost"], help: "What the request takes from rate and quota. Default 1; 0 takes nothing."},
	"brief":     {kind: question.Kinds["brief"], help: "Answer valid, code, http_status, key_id and owner only."},
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

// Verifier decides about one key.
type Verifier interface {
	Verify(ctx context.Context, r verify.Request) (verify.Decision, error)
}

// Verify decides about keys, one or many.
type Verify struct {
	Verifier Verifier
	Config   Configuration
	Log      hclog.Logger
	batches  question.Batches
}

func (vs *Verify) routes() []route {
	vs.batches.Tell = vs.batchItem
	ops := operations{
		logical.UpdateOperation: {summary: "Verify a key.", takes: verifyFields, answers: verifyAnswer, handler: vs.byBody},
		logical.ReadOperation:   {summary: "Verify the key in the header X-API-Key.", takes: questionFields, answers: verifyAnswer, handler: vs.byHeader},
	}
	return []route{
		{"verify", "Is this key good for this request?", verifyHelp, nil, ops},
		{"verify/(?P<role>[^/]+)", "Is this a key of this role, and good for this request?", verifyHelp, roleName, ops},
	}
}

func (vs *Verify) byBody(ctx context.Context, r request) (*logical.Response, error) {
	if items, batch, err := question.Items(r.in); err != nil {
		return nil, err
	} else if batch {
		return vs.batch(ctx, r, items)
	}
	key, err := r.in.key()
	if err != nil {
		return nil, err
	}
	return vs.verify(ctx, r, key)
}

func (vs *Verify) byHeader(ctx context.Context, r request) (*logical.Response, error) {
	inHeader := header(r.Request, "X-API-Key")
	if r.in.has("key") {
		config, err := vs.Config.Config(ctx)
		if err != nil {
			return nil, err
		}
		if !config.AllowKeyInQuery {
			return nil, record.Mistake("a key in the URL's query stands in Vault's audit log in clear: consider this key leaked, and send keys in the body or in the header X-API-Key")
		}
		if len(inHeader) > 0 {
			return nil, record.Mistake("the key stands in the query and in the header X-API-Key")
		}
		return vs.verify(ctx, r, get[apikey.Presented](r.in, "key"))
	}
	switch {
	case len(inHeader) == 0:
		return nil, record.Mistake("no header X-API-Key: send it, and let the mount pass it on (passthrough_request_headers)")
	case len(inHeader) > 1:
		return nil, record.Mistake("more than one header X-API-Key")
	case inHeader[0] == "":
		return nil, record.Mistake("the header X-API-Key is empty")
	}
	return vs.verify(ctx, r, apikey.Present(inHeader[0]))
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

func (vs *Verify) verify(ctx context.Context, r request, key apikey.Presented) (*logical.Response, error) {
	q, err := question.Of(r.in, key, r.in.word("role"))
	if err != nil {
		return nil, err
	}
	if r.Operation == logical.ReadOperation {
		// What stands in a query may be half of what was sent: Vault drops a pair
		// that it cannot parse.
		q.ScopesNamed = false
	}
	d, err := vs.Verifier.Verify(ctx, q.Request)
	if err != nil {
		return nil, err
	}
	return answer(verdict.Data(&d, q.Brief)), nil
}
