package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
)

// policyRows are what a caller may set on a key, at issue and later.
var policyRows = rows[record.Change]{
	sent("name", text, "Label of at most 128 bytes.", func(c *record.Change) **string { return &c.Name }),
	sent("metadata", pairs, "Up to 32 pairs that verify answers with.", func(c *record.Change) **map[string]string { return &c.Metadata }),
	sent("scopes", list, "Scopes, within the role's allowed_scopes; the role's default_scopes when not sent.", func(c *record.Change) **[]string { return &c.Scopes }),
	networks("bound_cidrs", "Networks that the key may be used from, within the role's.", func(c *record.Change, l *network.List) { c.BoundCIDRs = l }, nil),
	sent("rate_limit", count, "Verifications per rate_limit_period; 0 for the role's. Not above the role's.", func(c *record.Change) **int64 { return &c.Limits.RateLimit }),
	sent("rate_limit_period", duration, "Period of rate_limit; the role's where it sets a rate_limit, else 1s.", func(c *record.Change) **record.Seconds { return &c.Limits.RateLimitPeriod }),
	sent("quota", count, "Verifications in all, or per quota_period; 0 for the role's. Not above the role's.", func(c *record.Change) **int64 { return &c.Limits.Quota }),
	sent("quota_period", duration, "Length of a quota window, 0 for the key's whole life; the role's where it sets a quota.", func(c *record.Change) **record.Seconds { return &c.Limits.QuotaPeriod }),
	sent("recipients", list, "Up to 8 age recipients that the key is sealed to: it is then answered as sealed_key. A change is of what later rotations make, and is the operator's.", func(c *record.Change) **[]string { return &c.Recipients }),
}

// birthFields are what is set once, when a key is made.
var birthFields = fields{
	"owner": {kind: word, help: "Whose key it is."},
	"ttl":   {kind: duration, help: "Life of one version; 0 or not sent for the role's."},
}

const issueHelp = "Mints a key of a role and shows it, this once. Grant issue/<role>: a policy on issue alone allows every role."

// Issuer mints keys.
type Issuer interface {
	Issue(ctx context.Context, r lifecycle.IssueRequest) (lifecycle.Minted, error)
}

// Issue mints keys of roles. System renders the owners of roles with a template.
type Issue struct {
	Issuer Issuer
	System logical.SystemView
	Clock  Clock
}

func (i Issue) routes() []route {
	takes := policyRows.fields().with(birthFields)
	return []route{
		{"issue", "Mint a key; role comes in the data.", issueHelp, nil, operations{
			logical.UpdateOperation: {summary: "Mint a key.", takes: takes.with(roleName), answers: issueAnswer, handler: i.issue, writes: true},
		}},
		{"issue/(?P<role>[^/]+)", "Mint a key of this role.", issueHelp, roleName, operations{
			logical.UpdateOperation: {summary: "Mint a key of a role.", takes: takes, answers: issueAnswer, handler: i.issue, writes: true},
		}},
	}
}

func (i Issue) issue(ctx context.Context, r request) (*logical.Response, error) {
	role, err := required[string](r.in, "role")
	if err != nil {
		return nil, err
	}
	want, err := wanted(r.in)
	if err != nil {
		return nil, err
	}
	minted, err := i.Issuer.Issue(ctx, lifecycle.IssueRequest{
		Role: role, Want: want, By: creator(r), Asker: asker(r.Request),
		Render: render(i.System, r),
	})
	if err != nil {
		return nil, err
	}
	return mintAnswer(minted, i.Clock), nil
}

// render is what an identity template says of whoever asks.
func render(system logical.SystemView, r request) func(template string) (string, error) {
	return func(template string) (string, error) {
		return framework.PopulateIdentityTemplate(template, r.EntityID, system)
	}
}

// wanted is what the caller asks of a new key.
func wanted(in input) (record.Request, error) {
	var c record.Change
	err := policyRows.take(in, &c)
	return record.Request{
		Owner:      in.word("owner"),
		Name:       value(c.Name),
		Metadata:   value(c.Metadata),
		Scopes:     c.Scopes,
		BoundCIDRs: c.BoundCIDRs,
		TTL:        get[record.Seconds](in, "ttl"),
		Limits:     c.Limits,
		Recipients: c.Recipients,
	}, err
}

// value is what was sent, or the zero value.
func value[V any](sent *V) (v V) {
	if sent != nil {
		v = *sent
	}
	return v
}
