package paths

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
)

// keyFields are what every answer about a key shows.
var keyFields = fields{
	"key_id":      {kind: word, help: "Public id of the key; it stays through rotations."},
	"version":     {kind: count, help: "Number of the newest version."},
	"hint":        {kind: word, help: "The key without its secret."},
	"role":        {kind: word, help: "Role of the key."},
	"owner":       {kind: text, help: "Whose key it is."},
	"name":        {kind: text, help: "Label."},
	"scopes":      {kind: list, help: "Scopes of its own, as written."},
	"metadata":    {kind: pairs, help: "Pairs of its own."},
	"bound_cidrs": {kind: list, help: "Networks of its own, as written."},
	"status":      {kind: word, help: "What verify would answer now: active for valid, else the code."},
	"created_at":  {kind: word, help: "When the key was issued."},
	"expires_at":  {kind: word, help: "When its newest version expires."},
	"rotate_by":   {kind: text, help: "From when the newest version is due for rotation."},
	"created_by":  {kind: object, help: "display_name and entity_id of the token that asked for it."},
}

// mintFields are what issue and rotate show on top.
var mintFields = keyFields.with(fields{
	"key":             {kind: word, help: "The key. It is shown once.", secret: true},
	"ttl":             {kind: count, help: "Unleased: seconds after which its holder should fetch a new one.", sometimes: true},
	"rotation_period": {kind: count, help: "Unleased: the role's rotation period in seconds.", sometimes: true},
})

// readFields are what a read, an update and a revocation show on top.
var readFields = keyFields.with(fields{
	"ttl":           {kind: count, help: "Lifetime that was asked for, in seconds; 0 if none."},
	"disabled":      {kind: flag, help: "Whether the key is disabled for now."},
	"revoked_at":    {kind: text, help: "When it was revoked."},
	"revoke_reason": {kind: text, help: "Why it was revoked."},
	"versions":      {kind: objects, help: "Its versions, newest first: version, status, created_at, expires_at, superseded_at, valid_until."},
})

// keyAnswer is a key as every answer shows it. role is nil when it is gone.
func keyAnswer(k record.Key, role *record.Role, now record.Time) map[string]any {
	return map[string]any{
		"key_id":      k.ID,
		"version":     k.Newest().Number,
		"hint":        apikey.Hint(k.Prefix, k.ID),
		"role":        k.Role,
		"owner":       k.Owner,
		"name":        k.Name,
		"scopes":      listOf(k.Scopes),
		"metadata":    pairsOf(k.Metadata),
		"bound_cidrs": k.BoundCIDRs.Strings(),
		"status":      string(k.State(role, now)),
		"created_at":  k.CreatedAt.String(),
		"expires_at":  k.Newest().ExpiresAt.String(),
		"rotate_by":   k.RotateBy(role).String(),
		"created_by": map[string]any{
			"display_name": k.CreatedBy.DisplayName,
			"entity_id":    k.CreatedBy.EntityID,
		},
	}
}

// readAnswer is a key as keys/:key_id shows it.
func (sv *Services) readAnswer(ctx context.Context, k record.Key) (map[string]any, error) {
	role, err := sv.Store.Role(ctx, k.Role)
	if err != nil {
		return nil, err
	}
	now := sv.Clock.Now()
	data := keyAnswer(k, role, now)
	data["ttl"] = int64(k.TTL)
	data["disabled"] = k.Disabled
	data["revoked_at"] = k.RevokedAt.String()
	data["revoke_reason"] = k.RevokeReason
	versions := make([]map[string]any, len(k.Versions))
	for i := range k.Versions {
		v := &k.Versions[i]
		versions[i] = map[string]any{
			"version":       v.Number,
			"status":        string(k.Status(v, role, now)),
			"created_at":    v.CreatedAt.String(),
			"expires_at":    v.ExpiresAt.String(),
			"superseded_at": v.SupersededAt.String(),
			"valid_until":   v.ValidUntil.String(),
		}
	}
	data["versions"] = versions
	return data, nil
}
