package paths

import (
	"context"
	"strings"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
)

type bodyKey struct{}

// WithBody hands the caller's data to the handlers past Vault's framework, which
// would put values that it cannot convert into errors and logs. The caller of
// WithBody passes the framework a request without them.
//
// A handler gets nothing but a request and its context, so it is one of the two.
// Data in the request under a name that no path declares would not be converted, but
// each answer would warn of that name, unless every path declared that it takes any
// parameter, and none does.
func WithBody(ctx context.Context, data map[string]any) context.Context {
	return context.WithValue(ctx, bodyKey{}, data)
}

// input is what a caller sent, decoded: string, int64, bool, []string,
// map[string]string or record.Seconds by name. A name that is absent was not
// sent.
type input map[string]any

// has tells whether the caller sent the parameter.
func (in input) has(name string) bool {
	_, ok := in[name]
	return ok
}

// optional is the value that was sent, or nil.
func optional[V any](in input, name string) *V {
	if v, ok := in[name].(V); ok {
		return &v
	}
	return nil
}

// get is the value that was sent, or the zero value.
func get[V any](in input, name string) V {
	v, _ := in[name].(V)
	return v
}

func (in input) word(name string) string { return get[string](in, name) }

// required is a value that must have been sent.
func required[V any](in input, name string) (v V, err error) {
	if !in.has(name) {
		return v, record.Mistakef("missing parameter %q", name)
	}
	return get[V](in, name), nil
}

// key is the key that is presented, which must have been sent.
func (in input) key() (apikey.Presented, error) { return required[apikey.Presented](in, "key") }

// presented is the key on a holder's path. White space around it, as a file's
// last line has it, is a mistake that says so: 'key not found' would send away
// whoever found a leaked key and wants to end it. It is not trimmed either: one
// text is one key, on every path.
func (in input) presented() (apikey.Presented, error) {
	key, err := in.key()
	if text := key.Reveal(); strings.TrimSpace(text) != text {
		err = record.Mistake("key has white space around it, like the line break at the end of a file: send the key without")
	}
	return key, err
}

// number is a count that must lie within bounds.
func (in input) number(name string, low, high int64) (int64, error) {
	n := get[int64](in, name)
	if n < low || n > high {
		return 0, record.Mistakef("%s must be between %d and %d", name, low, high)
	}
	return n, nil
}
