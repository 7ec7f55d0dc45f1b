package paths

import (
	"context"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

var verifyFields = presentedKey.with(fields{
	"scopes":    {kind: list, help: "Scopes that the request needs, all of them."},
	"client_ip": {kind: word, help: "Address of the caller, as the gateway saw it."},
	"cost":      {kind: count, help: "What the request takes from rate and quota. Default 1; 0 takes nothing."},
})

var verifyAnswer = fields{
	"valid":            {kind: flag, help: "Whether the key is good for this request."},
	"code":             {kind: word, help: "valid, or why not."},
	"http_status":      {kind: count, help: "What a gateway should answer: 200, 401, 403 or 429."},
	"key_id":           {kind: word, help: "Public id of the key.", sometimes: true},
	"version":          {kind: count, help: "Number of the presented version.", sometimes: true},
	"role":             {kind: word, help: "Role of the key.", sometimes: true},
	"owner":            {kind: text, help: "Whose key it is.", sometimes: true},
	"name":             {kind: text, help: "Label.", sometimes: true},
	"scopes":           {kind: list, help: "Effective scopes.", sometimes: true},
	"metadata":         {kind: pairs, help: "The key's pairs, and the role's.", sometimes: true},
	"expires_at":       {kind: word, help: "When the presented version expires.", sometimes: true},
	"rotation_due":     {kind: flag, help: "Whether the key is due for rotation.", sometimes: true},
	"superseded":       {kind: flag, help: "Whether the presented version was replaced.", sometimes: true},
	"valid_until":      {kind: text, help: "End of a superseded version's grace.", sometimes: true},
	"parent_key_id":    {kind: text, help: "Key that it was delegated from.", sometimes: true},
	"rate_limit":       {kind: count, help: "Effective rate limit, where one applies.", sometimes: true},
	"rate_remaining":   {kind: count, help: "Verifications left now.", sometimes: true},
	"rate_reset_after": {kind: count, help: "Seconds until the rate limit is untouched again.", sometimes: true},
	"quota":            {kind: count, help: "Effective quota, where one applies.", sometimes: true},
	"quota_remaining":  {kind: count, help: "What is left of it.", sometimes: true},
	"quota_resets_at":  {kind: text, help: "When it refills.", sometimes: true},
	"retry_after":      {kind: count, help: "With rate_limited and quota_exceeded: seconds until this cost fits; 0 if it never does.", sometimes: true},
	"missing_scopes":   {kind: list, help: "With insufficient_scope: the scopes that the key lacks.", sometimes: true},
}

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
		logical.ReadOperation:   {summary: "Verify the key in the header X-API-Key.", takes: verifyFields, answers: verifyAnswer, handler: sv.verifyHeader},
	}
}

func (sv *Services) verifyBody(ctx context.Context, r request) (*logical.Response, error) {
	key, err := r.in.required("key")
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
		return sv.verify(ctx, r, r.in.word("key"))
	}
	switch {
	case len(inHeader) == 0:
		return nil, record.Mistake("no header X-API-Key: send it, and let the mount pass it on (passthrough_request_headers)")
	case len(inHeader) > 1:
		return nil, record.Mistake("more than one header X-API-Key")
	case inHeader[0] == "":
		return nil, record.Mistake("the header X-API-Key is empty")
	}
	return sv.verify(ctx, r, inHeader[0])
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

func (sv *Services) verify(ctx context.Context, r request, key string) (*logical.Response, error) {
	question := verify.Request{
		Key:    key,
		Role:   r.in.word("role"),
		Scopes: get[[]string](r.in, "scopes"),
		Cost:   1,
	}
	set(r.in, "cost", &question.Cost)
	if err := record.CheckScopes("scopes", question.Scopes); err != nil {
		return nil, err
	}
	if r.in.has("client_ip") {
		addr, err := network.ParseAddr(r.in.word("client_ip"))
		if err != nil {
			return nil, record.Mistake("client_ip must be one IP address")
		}
		question.ClientIP = addr
	}
	d, err := sv.Verifier.Verify(ctx, question)
	if err != nil {
		return nil, err
	}
	return answer(decisionAnswer(d)), nil
}

// decisionAnswer shows a decision. What is not proven shows nothing but that.
func decisionAnswer(d verify.Decision) map[string]any {
	if !d.Proven() {
		return map[string]any{"valid": false, "code": string(d.Code), "http_status": d.Code.HTTPStatus()}
	}
	k, v := d.Key, d.Version
	data := map[string]any{
		"valid":         d.Valid(),
		"code":          string(d.Code),
		"http_status":   d.Code.HTTPStatus(),
		"key_id":        k.ID,
		"version":       v.Number,
		"role":          k.Role,
		"owner":         k.Owner,
		"name":          k.Name,
		"scopes":        listOf(d.Scopes),
		"metadata":      pairsOf(d.Metadata),
		"expires_at":    v.ExpiresAt.String(),
		"rotation_due":  d.RotationDue,
		"superseded":    v.SupersededAt != 0,
		"valid_until":   v.ValidUntil.String(),
		"parent_key_id": k.Parent,
	}
	if d.Limits.RateLimit > 0 {
		data["rate_limit"] = d.Limits.RateLimit
		data["rate_remaining"] = d.Remaining.Rate
		data["rate_reset_after"] = int64(d.Remaining.RateResets)
	}
	if d.Limits.Quota > 0 {
		data["quota"] = d.Limits.Quota
		data["quota_remaining"] = d.Remaining.Quota
		data["quota_resets_at"] = d.QuotaResetsAt.String()
	}
	switch d.Code {
	case verify.InsufficientScope:
		data["missing_scopes"] = d.MissingScopes
	case verify.RateLimited, verify.QuotaExceeded:
		data["retry_after"] = int64(d.RetryAfter)
	}
	return data
}
