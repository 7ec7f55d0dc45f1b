package paths

import (
	"context"
	"errors"
	"slices"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
)

// view is a key as answers show it.
type view struct {
	record.Key
	version  *record.Version // the one that is shown: the current one, or one that was just made
	standing record.Standing // what its state depends on
	now      record.Time
	uses     record.Uses
	quota    *quota // nil where none applies, or it is not known
}

// quota is what is left of one.
type quota struct {
	remaining int64
	resetsAt  record.Time
}

// keyRows are what every answer about a key shows.
var keyRows = rows[view]{
	says("key_id", word, "Public id of the key; it stays through rotations.", func(v *view) any { return v.ID }),
	says("version", count, "Number of its current version; of the new one where that was just made.", func(v *view) any { return v.version.Number }),
	says("hint", word, "The key without its secret.", func(v *view) any { return apikey.Hint(v.Prefix, v.ID) }),
	says("role", word, "Role of the key.", func(v *view) any { return v.Role }),
	says("owner", text, "Whose key it is.", func(v *view) any { return v.Owner }),
	says("name", text, "Label.", func(v *view) any { return v.Name }),
	says("scopes", list, "Scopes of its own, as written.", func(v *view) any { return shown(v.Scopes) }),
	says("metadata", pairs, "Pairs of its own.", func(v *view) any { return shown(v.Metadata) }),
	says("bound_cidrs", list, "Networks of its own, as written.", func(v *view) any { return shown(v.BoundCIDRs) }),
	says("rate_limit", count, "Rate limit of its own; 0 for the role's.", func(v *view) any { return v.RateLimit }),
	says("rate_limit_period", count, "Its period, in seconds.", func(v *view) any { return shown(v.RateLimitPeriod) }),
	says("quota", count, "Quota of its own; 0 for the role's.", func(v *view) any { return v.Quota }),
	says("quota_period", count, "Length of its windows, in seconds; 0 for the key's whole life.", func(v *view) any { return shown(v.QuotaPeriod) }),
	says("recipients", list, "Age recipients that it is sealed to; none if it is answered in clear.", func(v *view) any { return shown(v.version.Recipients) }),
	says("parent_key_id", text, "Key that it was delegated from.", func(v *view) any { return v.Parent }),
	says("status", word, "What verify would answer now: active for valid, else the code.", func(v *view) any { return string(v.State(v.standing, v.now)) }),
	says("created_at", word, "When the key was issued.", func(v *view) any { return shown(v.CreatedAt) }),
	says("expires_at", word, "When that version expires.", func(v *view) any { return shown(v.version.ExpiresAt) }),
	says("rotate_by", text, "From when that version is due for rotation.", func(v *view) any { return shown(v.RotateBy(v.version, v.standing, v.now)) }),
	says("created_by", object, "display_name and entity_id of the token that asked for it.", func(v *view) any {
		return map[string]any{"display_name": v.CreatedBy.DisplayName, "entity_id": v.CreatedBy.EntityID}
	}),
}

// readRows are what a read, an update and a revocation show.
var readRows = slices.Concat(keyRows, rows[view]{
	says("static_name", text, "Static name under which it was declared.", func(v *view) any { return v.StaticName }),
	says("ttl", count, "Lifetime that was asked for, in seconds; 0 if none.", func(v *view) any { return shown(v.TTL) }),
	says("disabled", flag, "Whether the key is disabled for now.", func(v *view) any { return v.Disabled }),
	says("disabled_at", text, "When it was disabled.", func(v *view) any { return shown(v.DisabledAt) }),
	says("disabled_reason", text, "Why it was disabled.", func(v *view) any { return v.DisabledReason }),
	says("last_used_at", text, "When it was last verified as valid, itself or through a child.", func(v *view) any { return shown(v.uses.Last) }),
	says("revoked_at", text, "When it was revoked.", func(v *view) any { at, _ := v.Revocation(v.standing); return shown(at) }),
	says("revoke_reason", text, "Why it was revoked.", func(v *view) any { _, reason := v.Revocation(v.standing); return reason }),
	says("versions", objects, "Its versions, newest first: version, status, created_at, expires_at, activation, pending_until, activated_at, superseded_at, valid_until, cancelled_at, reason, last_used_at.", (*view).versions),
})

// quotaRows are shown where a quota applies.
var quotaRows = rows[quota]{
	maySay("quota_remaining", count, "Where a quota applies: what is left of it.", func(q *quota) any { return q.remaining }),
	maySay("quota_resets_at", text, "Where a quota applies: when it refills.", func(q *quota) any { return shown(q.resetsAt) }),
}

var readFields = readRows.fields().with(quotaRows.fields())

// full is what a read shows.
func (v *view) full() map[string]any {
	data := readRows.show(v)
	if v.quota != nil {
		quotaRows.add(data, v.quota)
	}
	return data
}

func (v *view) versions() any {
	versions := make([]map[string]any, len(v.Versions))
	for i := range v.Versions {
		version := &v.Versions[i]
		versions[i] = map[string]any{
			"version":       version.Number,
			"status":        string(v.Status(version, v.standing, v.now)),
			"created_at":    version.CreatedAt.String(),
			"expires_at":    version.ExpiresAt.String(),
			"activation":    version.Activation(),
			"pending_until": version.PendingUntil.String(),
			"activated_at":  version.InEffectSince().String(),
			"superseded_at": version.SupersededAt.String(),
			"valid_until":   version.ValidUntil.String(),
			"cancelled_at":  version.CancelledAt.String(),
			"reason":        version.CancelReason,
			"last_used_at":  v.uses.Of(version.Number).String(),
		}
	}
	return versions
}

// Lineages finds what the state of a key depends on.
type Lineages interface {
	Lineage(ctx context.Context, k record.Key) (lineage.Lineage, error)
}

// KeyAnswers show keys as keys/:key_id does. All fields are required.
type KeyAnswers struct {
	Lineages Lineages
	Uses     interface {
		Uses(ctx context.Context, id string) (record.Uses, error)
	}
	Roles RoleReader
	// Limits tell what is left of them. TryPeek waits for nobody.
	Limits interface {
		Peek(ctx context.Context, line limit.Line, now record.Time) (limit.Remaining, error)
		TryPeek(ctx context.Context, line limit.Line, now record.Time) (limit.Remaining, error)
	}
	Clock Clock
	Log   hclog.Logger
}

// read answers with a key.
func (a KeyAnswers) read(ctx context.Context, k record.Key) (*logical.Response, error) {
	v, err := a.view(ctx, k)
	if err != nil {
		return nil, err
	}
	if v.quota, err = a.quota(ctx, k, a.Limits.Peek); err != nil {
		return nil, err
	}
	return answer(v.full()), nil
}

// changed answers a change of a key with what a read would show. What cannot be
// read beside the key's own record does not hide a change that is made: the key is
// then shown as its record alone has it, and where the record's state is final,
// which is what an end needs, that is the whole truth. What another node must
// answer is passed on.
func (a KeyAnswers) changed(ctx context.Context, k record.Key, err error, warnings ...string) (*logical.Response, error) {
	if err != nil {
		return nil, err
	}
	v, err := a.view(ctx, k)
	switch {
	case errors.Is(err, record.ErrElsewhere):
		return nil, err
	case err != nil:
		a.Log.Warn("a changed key is answered by its record alone", "key_id", k.ID, "error", err)
		v, warnings = view{Key: k, version: k.Current(), standing: record.Alone(&k), now: a.Clock.Now()}, append(warnings, aloneWarning)
	}
	if v.quota, err = a.quota(ctx, k, a.Limits.TryPeek); err != nil {
		// Not known now, or held by a verify.
		a.Log.Warn("a changed key is answered without its quota", "error", err)
	}
	return answer(v.full(), warnings...), nil
}

const aloneWarning = "the change is made; what the key's role, owner, parents and last uses say of it cannot be read, so the answer shows its own record only"

func (a KeyAnswers) view(ctx context.Context, k record.Key) (view, error) {
	l, err := a.Lineages.Lineage(ctx, k)
	if err != nil {
		return view{}, err
	}
	uses, err := a.Uses.Uses(ctx, k.ID)
	return view{Key: l.Key, version: l.Key.Current(), standing: l.Standing, now: l.At, uses: uses}, err
}

// quota is what remains of the quota that applies to a key, if one does.
func (a KeyAnswers) quota(ctx context.Context, k record.Key, peek func(context.Context, limit.Line, record.Time) (limit.Remaining, error)) (*quota, error) {
	role, found, err := a.Roles.Role(ctx, k.Role)
	if err != nil || !found || k.IssuedUnder(&role) == nil {
		return nil, err
	}
	limits := k.Limits.Under(role.Limits)
	if limits.Quota == 0 {
		return nil, nil
	}
	now := a.Clock.Now()
	left, err := peek(ctx, limit.Line{ID: k.ID, Created: k.CreatedAt, Limits: limits}, now)
	if err != nil {
		return nil, err
	}
	return &quota{left.Quota, limits.WindowEnd(k.CreatedAt, now)}, nil
}
