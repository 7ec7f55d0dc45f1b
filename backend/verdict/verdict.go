// Package verdict is a decision as it is told: as fields, as JSON and as headers.
// Whoever answers by it, Vault's plugin or a gate, answers in the same words.
//
// It shows no more than a decision may: of what is not proven nothing but that. It
// decides nothing, and the HTTP status of a code is [verify.Code]'s own.
package verdict

import (
	"net/http"
	"strconv"
	"strings"

	"vault-plugin-secrets-apikeys/backend/verify"
)

// Field is one field of an answer. A decision that has nothing to say in it
// leaves it out.
type Field struct {
	Name string
	Help string
	// Value is a bool, int, int64, string, []string or map[string]string, and never
	// nil, be it of the zero decision.
	Value func(d *verify.Decision) any
}

// part are fields that are shown together or not at all.
type part struct {
	shown  func(d *verify.Decision, brief bool) bool
	fields []Field
}

var parts = []part{
	{func(*verify.Decision, bool) bool { return true }, []Field{
		{"valid", "Whether the key is good for this request.", func(d *verify.Decision) any { return d.Valid() }},
		{"code", "valid, or why not.", func(d *verify.Decision) any { return string(d.Code) }},
		{"http_status", "What a gateway should answer: 200, 401, 403 or 429.", func(d *verify.Decision) any { return d.Code.HTTPStatus() }},
	}},
	{func(d *verify.Decision, _ bool) bool { return d.Proven() }, []Field{
		{"key_id", "Public id of the key.", func(d *verify.Decision) any { return d.Key.ID }},
		{"owner", "Whose key it is.", func(d *verify.Decision) any { return d.Key.Owner }},
	}},
	{inFull, []Field{
		{"version", "Number of the presented version.", func(d *verify.Decision) any { return d.Version.Number }},
		{"role", "Role of the key.", func(d *verify.Decision) any { return d.Key.Role }},
		{"name", "Label.", func(d *verify.Decision) any { return d.Key.Name }},
		{"scopes", "Effective scopes.", func(d *verify.Decision) any { return list(d.Scopes) }},
		{"metadata", "The key's pairs, and the role's.", func(d *verify.Decision) any { return pairs(d.Metadata) }},
		{"expires_at", "When the presented version expires.", func(d *verify.Decision) any { return d.Version.ExpiresAt.String() }},
		{"rotation_due", "Whether the key is due for rotation.", func(d *verify.Decision) any { return d.RotationDue }},
		{"superseded", "Whether the presented version was replaced.", func(d *verify.Decision) any { return d.Version.SupersededAt != 0 }},
		{"valid_until", "End of a superseded version's grace.", func(d *verify.Decision) any { return d.Version.ValidUntil.String() }},
		{"parent_key_id", "Key that it was delegated from.", func(d *verify.Decision) any { return d.Key.Parent }},
	}},
	{func(d *verify.Decision, brief bool) bool { return inFull(d, brief) && d.Limits.RateLimit > 0 }, []Field{
		{"rate_limit", "Effective rate limit, where one applies.", func(d *verify.Decision) any { return d.Limits.RateLimit }},
		{"rate_remaining", "Verifications left now.", func(d *verify.Decision) any { return d.Remaining.Rate }},
		{"rate_reset_after", "Seconds until the rate limit is untouched again.", func(d *verify.Decision) any { return int64(d.Remaining.RateResets) }},
	}},
	{func(d *verify.Decision, brief bool) bool { return inFull(d, brief) && d.Limits.Quota > 0 }, []Field{
		{"quota", "Effective quota, where one applies.", func(d *verify.Decision) any { return d.Limits.Quota }},
		{"quota_remaining", "What is left of it.", func(d *verify.Decision) any { return d.Remaining.Quota }},
		{"quota_resets_at", "When it refills.", func(d *verify.Decision) any { return d.QuotaResetsAt.String() }},
	}},
	{func(d *verify.Decision, brief bool) bool { return inFull(d, brief) && later(d) }, []Field{
		{"retry_after", "With rate_limited and quota_exceeded: seconds until this cost fits; 0 if it never does. With superseded: seconds until the version works again, where it is refused for some minutes only.", func(d *verify.Decision) any { return int64(d.RetryAfter) }},
	}},
	{func(d *verify.Decision, brief bool) bool {
		return inFull(d, brief) && d.Code == verify.InsufficientScope
	}, []Field{
		{"missing_scopes", "With insufficient_scope: the scopes that the key lacks.", func(d *verify.Decision) any { return list(d.MissingScopes) }},
	}},
}

// inFull is of a key that is proven, unless the answer is brief.
func inFull(d *verify.Decision, brief bool) bool { return d.Proven() && !brief }

// later is of a key that may be good for such a request later: its limits allow none
// now, or its version has a brownout.
func later(d *verify.Decision) bool {
	return d.Code == verify.RateLimited || d.Code == verify.QuotaExceeded || d.Code == verify.Superseded && d.RetryAfter > 0
}

// Fields are all that an answer may have, in its order.
func Fields() (all []Field) {
	for _, p := range parts {
		all = append(all, p.fields...)
	}
	return all
}

// Data is a decision as fields by name. A brief one has only what a gateway acts on.
func Data(d *verify.Decision, brief bool) map[string]any {
	data := make(map[string]any, 16) // as most answers need
	each(d, brief, func(name string, value any) { data[name] = value })
	return data
}

// each visits what a decision says.
func each(d *verify.Decision, brief bool, field func(name string, value any)) {
	for _, p := range parts {
		if p.shown(d, brief) {
			for _, f := range p.fields {
				field(f.Name, f.Value(d))
			}
		}
	}
}

// list is a list that is never null.
func list(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}

// pairs is a map that is never null.
func pairs(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// maxHeaders bounds the bytes of all headers of an answer. nginx takes the head of
// an answer of 4 KiB, and Vault has headers of its own: with a longer one a good
// key is a 500.
const maxHeaders = 2 << 10

// Headers tell what the HTTP status does not.
func Headers(d *verify.Decision) map[string][]string {
	headers := make(map[string][]string, 8)
	SetHeaders(headers, d)
	return headers
}

// SetHeaders adds them to others of the same answer, and all of them have 2 KiB. Scopes,
// which alone can be long, are whole or not there at all: part of a list would read as
// all of it.
func SetHeaders(headers map[string][]string, d *verify.Decision) {
	values := make([]string, 0, most) // of all, which is one piece of memory where each had its own
	set := func(name, value string) {
		values = append(values, value)
		headers[name] = values[len(values)-1 : len(values) : len(values)]
	}
	set("X-Apikey-Code", string(d.Code))
	if later(d) {
		set("Retry-After", strconv.FormatInt(int64(d.RetryAfter), 10))
	}
	if !d.Proven() {
		return
	}
	if d.Version.SupersededAt != 0 {
		set("Deprecation", "@"+strconv.FormatInt(int64(d.Version.SupersededAt), 10)) // RFC 9745
		set("Sunset", d.Version.ValidUntil.Std().Format(http.TimeFormat))            // RFC 8594
	}
	set("X-Apikey-Id", d.Key.ID)
	set("X-Apikey-Owner", d.Key.Owner)
	scopes := strings.Join(d.Scopes, ",")
	set("X-Apikey-Scopes", scopes)
	if len(scopes) > maxHeaders/4 && headLength(headers) > maxHeaders { // the others have less than half
		set("X-Apikey-Scopes", "")
		set("X-Apikey-Scopes-Omitted", "true")
	}
}

// most is how many headers are set at the most.
const most = 9

// headLength is how long the headers are on the wire.
func headLength(headers map[string][]string) (n int) {
	for name, values := range headers {
		for _, value := range values {
			n += len(name) + len(": ") + len(value) + len("\r\n")
		}
	}
	return n
}
