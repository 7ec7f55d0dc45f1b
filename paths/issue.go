package paths

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
)

// changeFields are what a caller may set on a key, at issue and later.
var changeFields = fields{
	"name":        {kind: text, help: "Label of at most 128 bytes."},
	"metadata":    {kind: pairs, help: "Up to 32 pairs that verify answers with."},
	"scopes":      {kind: list, help: "Scopes, within the role's allowed_scopes; the role's default_scopes when not sent."},
	"bound_cidrs": {kind: list, help: "Networks that the key may be used from, within the role's."},
}

var issueFields = changeFields.with(limitFields).with(fields{
	"owner": {kind: word, help: "Whose key it is."},
	"ttl":   {kind: duration, help: "Life of one version; 0 or not sent for the role's."},
})

const issueHelp = "Mints a key of a role and shows it, this once. Grant issue/<role>: a policy on issue alone allows every role."

func (sv *Services) issuePath() *framework.Path {
	return sv.path("issue", "Mint a key; role comes in the data.", issueHelp, nil,
		map[logical.Operation]operation{
			logical.UpdateOperation: {summary: "Mint a key.", takes: issueFields.with(roleName), answers: mintFields, handler: sv.issue, writes: true},
		})
}

func (sv *Services) issueRolePath() *framework.Path {
	return sv.path("issue/(?P<role>[^/]+)", "Mint a key of this role.", issueHelp, roleName,
		map[logical.Operation]operation{
			logical.UpdateOperation: {summary: "Mint a key of a role.", takes: issueFields, answers: mintFields, handler: sv.issue, writes: true},
		})
}

func (sv *Services) issue(ctx context.Context, r request) (*logical.Response, error) {
	role, err := r.in.required("role")
	if err != nil {
		return nil, err
	}
	if err := record.CheckName("role", role); err != nil {
		return nil, err
	}
	owner, template, err := sv.ownerFor(ctx, role, r)
	if err != nil {
		return nil, err
	}
	want, err := wanted(r.in)
	if err != nil {
		return nil, err
	}
	want.Owner = owner
	minted, err := sv.Engine.Issue(ctx, lifecycle.IssueRequest{
		Role:          role,
		Want:          want,
		By:            record.Creator{DisplayName: r.DisplayName, EntityID: r.EntityID},
		Asker:         asker(r.Request),
		OwnerTemplate: template,
	})
	if err != nil {
		return nil, err
	}
	return sv.mintAnswer(minted), nil
}

// wanted is what the caller asks of a new key, but for its owner.
func wanted(in input) (record.Request, error) {
	networks, err := in.networks("bound_cidrs")
	return record.Request{
		Name:       in.word("name"),
		Metadata:   get[map[string]string](in, "metadata"),
		Scopes:     optional[[]string](in, "scopes"),
		BoundCIDRs: networks,
		TTL:        in.seconds("ttl"),
		Limits:     limitsChange(in),
	}, err
}

// ownerFor is the owner of a key to be issued: what the role's template renders
// to for the caller, else what the caller says.
func (sv *Services) ownerFor(ctx context.Context, name string, r request) (owner, template string, err error) {
	role, err := sv.Store.Role(ctx, name)
	if err != nil {
		return "", "", err
	}
	if role == nil || role.OwnerTemplate == "" {
		return r.in.word("owner"), "", nil
	}
	if r.in.has("owner") {
		return "", "", record.Mistake("the role's owner_template sets the owner; it cannot be chosen")
	}
	owner, err = framework.PopulateIdentityTemplate(role.OwnerTemplate, r.EntityID, sv.System())
	if err != nil {
		// Most often a token without an entity. The cause may name entities.
		return "", "", record.Mistake("the role's owner_template cannot be rendered for this token's identity")
	}
	if !record.ValidName(owner) {
		return "", "", record.Mistake("the role's owner_template renders to no valid owner name for this token's identity")
	}
	return owner, role.OwnerTemplate, nil
}

// asker is who asks. By the fingerprint of the token a rotation tells whether it
// comes from the lease's holder. Vault hands a plugin the token salted; not even
// that is stored. Of its kind Vault says nothing, but every token has an accessor
// except for batch tokens.
func asker(r *logical.Request) lifecycle.Asker {
	a := lifecycle.Asker{Request: r.ID}
	if r.ClientToken != "" {
		sum := sha256.Sum256([]byte(r.ClientToken))
		a.Holder, a.Batch = hex.EncodeToString(sum[:8]), r.ClientTokenAccessor == ""
	}
	return a
}

// mintAnswer shows a version that issue or rotate made, with a lease if it is
// leased, else with the seconds after which its holder should fetch the next.
func (sv *Services) mintAnswer(m lifecycle.Minted) *logical.Response {
	data := sv.shown(m)
	newest := m.Key.Newest()
	if !newest.Leased {
		data["rotation_period"] = int64(m.Role.RotationPeriod)
		data["ttl"] = int64(m.Role.RefreshAfter(newest.Lifetime))
		return answer(data, m.Warnings...)
	}
	resp := sv.lease().Response(data, leaseData(m.Key.ID, newest.Number))
	resp.Secret.TTL = leaseTTL(sv.Clock.Until(newest.ExpiresAt))
	resp.Secret.MaxTTL = m.MaxTTL.Std()
	resp.Warnings = m.Warnings
	return resp
}

// shown is a new version with its key. This is the one place where a key's text
// becomes an answer.
func (sv *Services) shown(m lifecycle.Minted) map[string]any {
	data := keyAnswer(m.Key, m.Standing, sv.Clock.Now())
	data["key"] = m.Text.Reveal()
	if m.Previous != nil {
		data["previous_version"] = m.Previous.Number
		data["previous_valid_until"] = m.Previous.ValidUntil.String()
	}
	return data
}
