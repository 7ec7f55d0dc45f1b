package paths

import (
	"reflect"

	"vault-plugin-secrets-apikeys/backend/verify"
)

// verdict is what verify shows of a decision. It is a struct because a batch has
// a thousand of them, and maps take several times as long to make and to encode.
// Parts that are nil are left out.
type verdict struct {
	Valid      bool   `json:"valid"`
	Code       string `json:"code"`
	HTTPStatus int    `json:"http_status"`
	*shownKey
	*shownPolicy
	*shownRate
	*shownQuota
	*shownRetry
	*shownMissing
}

// shownKey is of a key that is proven.
type shownKey struct {
	KeyID string `json:"key_id"`
	Owner string `json:"owner"`
}

// shownPolicy is of a key that is proven, unless the answer is brief.
type shownPolicy struct {
	Version     int               `json:"version"`
	Role        string            `json:"role"`
	Name        string            `json:"name"`
	Scopes      []string          `json:"scopes"`
	Metadata    map[string]string `json:"metadata"`
	ExpiresAt   string            `json:"expires_at"`
	RotationDue bool              `json:"rotation_due"`
	Superseded  bool              `json:"superseded"`
	ValidUntil  string            `json:"valid_until"`
	ParentKeyID string            `json:"parent_key_id"`
}

// shownRate and shownQuota are of limits that apply.
type shownRate struct {
	RateLimit      int64 `json:"rate_limit"`
	RateRemaining  int64 `json:"rate_remaining"`
	RateResetAfter int64 `json:"rate_reset_after"`
}

type shownQuota struct {
	Quota          int64  `json:"quota"`
	QuotaRemaining int64  `json:"quota_remaining"`
	QuotaResetsAt  string `json:"quota_resets_at"`
}

// shownRetry and shownMissing are of refusals.
type shownRetry struct {
	RetryAfter int64 `json:"retry_after"`
}

type shownMissing struct {
	MissingScopes []string `json:"missing_scopes"`
}

// show shows a decision. What is not proven shows nothing but that.
func show(d *verify.Decision, brief bool) *verdict {
	shown := &verdict{Valid: d.Valid(), Code: string(d.Code), HTTPStatus: d.Code.HTTPStatus()}
	if !d.Proven() {
		return shown
	}
	k, v := &d.Key, &d.Version
	shown.shownKey = &shownKey{KeyID: k.ID, Owner: k.Owner}
	if brief {
		return shown
	}
	shown.shownPolicy = &shownPolicy{
		Version:     v.Number,
		Role:        k.Role,
		Name:        k.Name,
		Scopes:      listOf(d.Scopes),
		Metadata:    pairsOf(d.Metadata),
		ExpiresAt:   v.ExpiresAt.String(),
		RotationDue: d.RotationDue,
		Superseded:  v.SupersededAt != 0,
		ValidUntil:  v.ValidUntil.String(),
		ParentKeyID: k.Parent,
	}
	if d.Limits.RateLimit > 0 {
		shown.shownRate = &shownRate{d.Limits.RateLimit, d.Remaining.Rate, int64(d.Remaining.RateResets)}
	}
	if d.Limits.Quota > 0 {
		shown.shownQuota = &shownQuota{d.Limits.Quota, d.Remaining.Quota, d.QuotaResetsAt.String()}
	}
	switch d.Code {
	case verify.InsufficientScope:
		shown.shownMissing = &shownMissing{d.MissingScopes}
	case verify.RateLimited, verify.QuotaExceeded:
		shown.shownRetry = &shownRetry{int64(d.RetryAfter)}
	}
	return shown
}

// data is the verdict as Vault takes a single answer.
func (v *verdict) data() map[string]any {
	data := make(map[string]any, len(verdictFields))
	whole := reflect.ValueOf(v).Elem()
	for _, f := range verdictFields {
		value := whole.Field(f.index[0])
		if len(f.index) > 1 { // of a part
			if value.IsNil() {
				continue
			}
			value = value.Elem().Field(f.index[1])
		}
		data[f.name] = value.Interface()
	}
	return data
}

type verdictField struct {
	name  string
	index []int
}

// verdictFields are the fields of a verdict and of all its parts.
var verdictFields = func() (all []verdictField) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[verdict]()) {
		if !f.Anonymous {
			all = append(all, verdictField{f.Tag.Get("json"), f.Index})
		}
	}
	return all
}()
