package verify

import (
	"net/http"

	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
)

// Code is the outcome of a decision.
type Code string

// The codes, in the order in which they are looked for.
const (
	Valid             Code = "valid"
	Invalid           Code = "invalid"
	Revoked           Code = Code(record.Revoked)
	Expired           Code = Code(record.Expired)
	Superseded        Code = Code(record.Superseded)
	Disabled          Code = Code(record.Disabled)
	ParentEnded       Code = Code(record.ParentEnded)
	IPDenied          Code = "ip_denied"
	InsufficientScope Code = "insufficient_scope"
	RateLimited       Code = "rate_limited"
	QuotaExceeded     Code = "quota_exceeded"
)

// Codes are all of them, in that order.
func Codes() []Code {
	return []Code{Valid, Invalid, Revoked, Expired, Superseded, Disabled, ParentEnded, IPDenied, InsufficientScope, RateLimited, QuotaExceeded}
}

// HTTPStatus is what a gateway should answer its client.
func (c Code) HTTPStatus() int {
	switch c {
	case Valid:
		return http.StatusOK
	case Disabled, IPDenied, InsufficientScope:
		return http.StatusForbidden
	case RateLimited, QuotaExceeded:
		return http.StatusTooManyRequests
	default:
		return http.StatusUnauthorized
	}
}

// Decision is the answer, made once and not changed after. The zero Decision
// denies. Everything but Code is only set when the key is proven.
type Decision struct {
	Code Code
	Description
	Allowance
}

// Description is what the answer holds of a proven key, whatever its limits say.
type Description struct {
	Key           record.Key
	Version       record.Version // the presented one
	Scopes        []string       // effective: the key's, as far as the role and all ancestors still allow them
	Metadata      map[string]string
	MissingScopes []string // with InsufficientScope
	RotationDue   bool
}

// Allowance is what the limits leave. A key that has ended has none.
type Allowance struct {
	Limits        record.Limits   // effective
	Remaining     limit.Remaining // of those limits
	QuotaResetsAt record.Time
	RetryAfter    record.Seconds // with RateLimited and QuotaExceeded, and with Superseded in a brownout
}

// Valid tells whether the key is good for the request.
func (d *Decision) Valid() bool { return d.Code == Valid }

// Proven tells whether the presented text is a key of this mount.
func (d *Decision) Proven() bool { return d.Version.Number != 0 }

// limitCode maps an outcome. One that it does not know refuses.
func limitCode(o limit.Outcome) Code {
	switch o {
	case limit.Allowed:
		return Valid
	case limit.QuotaExceeded:
		return QuotaExceeded
	default:
		return RateLimited
	}
}
