package paths

import (
	"context"
	"errors"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
)

// keyFields are what every answer about a key shows.
var keyFields = fields{
	"key_id":            {kind: word, help: "Public id of the key; it stays through rotations."},
	"version":           {kind: count, help: "Number of the newest version."},
	"hint":              {kind: word, help: "The key without its secret."},
	"role":              {kind: word, help: "Role of the key."},
	"owner":             {kind: text, help: "Whose key it is."},
	"name":              {kind: text, help: "Label."},
	"scopes":            {kind: list, help: "Scopes of its own, as written."},
	"metadata":          {kind: pairs, help: "Pairs of its own."},
	"bound_cidrs":       {kind: list, help: "Networks of its own, as written."},
	"rate_limit":        {kind: count, help: "Rate limit of its own; 0 for the role's."},
	"rate_limit_period": {kind: count, help: "Its period, in seconds."},
	"quota":             {kind: count, help: "Quota of its own; 0 for the role's."},
	"quota_period":      {kind: count, help: "Length of its windows, in seconds; 0 for the key's whole life."},
	"parent_key_id":     {kind: text, help: "Key that it was delegated from."},
	"status":            {kind: word, help: "What verify would answer now: active for valid, else the code."},
	"created_at":        {kind: word, help: "When the key was issued."},
	"expires_at":        {kind: word, help: "When its newest version expires."},
	"rotate_by":         {kind: text, help: "From when the newest version is due for rotation."},
	"created_by":        {kind: object, help: "display_name and entity_id of the token that asked for it."},
}

// mintFields are what issue and rotate show on top.
var mintFields = keyFields.with(fields{
	"key":             {kind: word, help: "The key. It is shown once.", secret: true},
	"ttl":             {kind: count, help: "Unleased: seconds after which its holder should fetch a new one.", sometimes: true},
	"rotation_period": {kind: count, help: "Unleased: the role's rotation period in seconds.", sometimes: true},
})

// readFields are what a read, an update and a revocation show on top.
var readFields = keyFields.with(fields{
	"ttl":             {kind: count, help: "Lifetime that was asked for, in seconds; 0 if none."},
	"disabled":        {kind: flag, help: "Whether the key is disabled for now."},
	"disabled_at":     {kind: text, help: "When it was disabled."},
	"disabled_reason": {kind: text, help: "Why it was disabled."},
	"last_used_at":    {kind: text, help: "When it was last verified as valid, itself or through a child."},
	"quota_remaining": {kind: count, help: "Where a quota applies: what is left of it.", sometimes: true},
	"quota_resets_at": {kind: text, help: "Where a quota applies: when it refills.", sometimes: true},
	"revoked_at":      {kind: text, help: "When it was revoked."},
	"revoke_reason":   {kind: text, help: "Why it was revoked."},
	"versions":        {kind: objects, help: "Its versions, newest first: version, status, created_at, expires_at, superseded_at, valid_until, last_used_at."},
})

// keyAnswer is a key as every answer shows it.
func keyAnswer(k record.Key, s record.Standing, now record.Time) map[string]any {
	return map[string]any{
		"key_id":            k.ID,
		"version":           k.Newest().Number,
		"hint":              apikey.Hint(k.Prefix, k.ID),
		"role":              k.Role,
		"owner":             k.Owner,
		"name":              k.Name,
		"scopes":            shown(k.Scopes),
		"metadata":          shown(k.Metadata),
		"bound_cidrs":       k.BoundCIDRs.Strings(),
		"rate_limit":        k.RateLimit,
		"rate_limit_period": int64(k.RateLimitPeriod),
		"quota":             k.Quota,
		"quota_period":      int64(k.QuotaPeriod),
		"parent_key_id":     k.Parent,
		"status":            string(k.State(s, now)),
		"created_at":        k.CreatedAt.String(),
		"expires_at":        k.Newest().ExpiresAt.String(),
		"rotate_by":         k.RotateBy(s, now).String(),
		"created_by": map[string]any{
			"display_name": k.CreatedBy.DisplayName,
			"entity_id":    k.CreatedBy.EntityID,
		},
	}
}

// readAnswer is a key as keys/:key_id shows it.
func (sv *Services) readAnswer(ctx context.Context, k record.Key) (map[string]any, error) {
	l, err := sv.Engine.Lineage(ctx, k)
	if err != nil {
		return nil, err
	}
	uses, err := sv.Uses.Uses(ctx, k.ID)
	if err != nil {
		return nil, err
	}
	return wholeAnswer(k, l.Standing, uses, sv.Clock.Now()), nil
}

// changedAnswer is readAnswer for a change that is made: what cannot be read
// beside the key's own record does not hide it. The key is then shown as its
// record alone has it, and where the record's state is final, which is what an
// end needs, that is the whole truth. What another node must answer is passed on.
func (sv *Services) changedAnswer(ctx context.Context, k record.Key) (data map[string]any, warnings []string, err error) {
	data, err = sv.readAnswer(ctx, k)
	if err == nil || errors.Is(err, record.ErrElsewhere) {
		return data, nil, err
	}
	sv.Logger.Warn("a changed key is answered by its record alone", "key_id", k.ID, "error", err)
	return wholeAnswer(k, record.Alone(&k), nil, sv.Clock.Now()), []string{aloneWarning}, nil
}

const aloneWarning = "the change is made; what the key's role, owner, parents and last uses say of it cannot be read, so the answer shows its own record only"

// wholeAnswer is what a read shows.
func wholeAnswer(k record.Key, s record.Standing, uses record.Uses, now record.Time) map[string]any {
	data := keyAnswer(k, s, now)
	data["ttl"] = int64(k.TTL)
	data["disabled"], data["disabled_at"], data["disabled_reason"] = k.Disabled, k.DisabledAt.String(), k.DisabledReason
	data["last_used_at"] = uses.Latest().String()
	revokedAt, reason := k.Revocation(s)
	data["revoked_at"], data["revoke_reason"] = revokedAt.String(), reason
	versions := make([]map[string]any, len(k.Versions))
	for i := range k.Versions {
		v := &k.Versions[i]
		versions[i] = map[string]any{
			"version":       v.Number,
			"status":        string(k.Status(v, s, now)),
			"created_at":    v.CreatedAt.String(),
			"expires_at":    v.ExpiresAt.String(),
			"superseded_at": v.SupersededAt.String(),
			"valid_until":   v.ValidUntil.String(),
			"last_used_at":  uses.Of(v.Number).String(),
		}
	}
	data["versions"] = versions
	return data
}

// peek looks at what is left of a key's limits.
type peek func(ctx context.Context, line limit.Line, now record.Time) (limit.Remaining, error)

// addQuota shows what remains of the quota that applies to a key, if one does.
func (sv *Services) addQuota(ctx context.Context, data map[string]any, k record.Key, peek peek) error {
	named, err := sv.Store.Role(ctx, k.Role)
	role := k.IssuedUnder(named)
	if err != nil || role == nil {
		return err
	}
	limits := k.Limits.Under(role.Limits)
	if limits.Quota == 0 {
		return nil
	}
	now := sv.Clock.Now()
	left, err := peek(ctx, limit.Line{ID: k.ID, Created: k.CreatedAt, Limits: limits}, now)
	if err != nil {
		return err
	}
	data["quota_remaining"] = left.Quota
	data["quota_resets_at"] = limits.WindowEnd(k.CreatedAt, now).String()
	return nil
}
