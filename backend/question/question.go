// Package question is what a gateway asks about a key, and the rules by which it is
// asked: how parameters are read, and what headers may stand for them. Whoever is asked,
// Vault's plugin or a gate, takes the same questions and refuses the same mistakes.
package question

import (
	"net/netip"
	"slices"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/scope"
	"vault-plugin-secrets-apikeys/backend/strict"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// Question is what a gateway asks about one key.
type Question struct {
	verify.Request
	// Brief asks for what a gateway acts on, and no more.
	Brief bool
}

// Kinds are the parameters of a question, and how each of them is read.
var Kinds = map[string]strict.Kind{
	"key":       strict.Word,
	"scopes":    strict.List,
	"client_ip": strict.Word,
	"cost":      strict.Count,
	"brief":     strict.Flag,
}

// Parameter decodes one parameter of a question.
func Parameter(name string, value any) (any, error) {
	kind, known := Kinds[name]
	if !known {
		return nil, strict.Unknown(name)
	}
	decoded, err := kind.Decode(name, value)
	if text, ok := decoded.(string); ok && name == "key" {
		return apikey.Present(text), err
	}
	return decoded, err
}

// Key is the key among decoded parameters, which must have been sent.
func Key(in map[string]any) (key apikey.Presented, err error) {
	key, sent := in["key"].(apikey.Presented)
	if !sent {
		return key, record.Mistake(`missing parameter "key"`)
	}
	return key, nil
}

// Of is the question of decoded parameters about a key, which need not be among them.
// When role is given, a key of any other is invalid.
func Of(in map[string]any, key apikey.Presented, role string) (q Question, err error) {
	q = Question{Request: verify.Request{Key: key, Role: role, Cost: 1}}
	if cost, sent := in["cost"].(int64); sent {
		q.Cost = cost
	}
	q.Brief, _ = in["brief"].(bool)
	if q.Scopes, q.ScopesNamed = in["scopes"].([]string); slices.Equal(q.Scopes, []string{scope.None}) {
		q.Scopes = nil
	}
	if err := record.CheckScopes("scopes", q.Scopes); err != nil {
		return q, err
	}
	if text, sent := in["client_ip"].(string); sent {
		q.ClientIP, err = address(text)
	}
	return q, err
}

func address(text string) (netip.Addr, error) {
	addr, err := network.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, record.Mistake("client_ip must be one IP address")
	}
	return addr, nil
}

// Headers are those that may stand for a parameter.
var Headers = []struct{ Parameter, Header string }{
	{"key", "X-API-Key"},
	{"scopes", "X-Required-Scopes"},
	{"client_ip", "X-Client-Ip"},
}

// Merge takes what came in headers into decoded parameters. ok is false when something
// came twice, so that nobody can tell whose word counts, or when there is no key or an
// empty one: parameters are the gateway's, headers may be its client's.
func Merge(in map[string]any, values func(header string) []string) (ok bool, err error) {
	for _, h := range Headers {
		values := values(h.Header)
		if len(values) == 0 {
			continue
		}
		if _, sent := in[h.Parameter]; sent || len(values) > 1 {
			return false, nil
		}
		switch {
		case h.Parameter != "key":
			if in[h.Parameter], err = Kinds[h.Parameter].Decode(h.Header, values[0]); err != nil {
				return false, err
			}
		case values[0] == "":
			return false, nil
		default:
			in["key"] = apikey.Present(values[0])
		}
	}
	key, _ := in["key"].(apikey.Presented)
	return !key.None(), nil
}

// ErrWrapped is returned where an answer is by the HTTP status and is to be wrapped.
// Vault answers 200 with a wrapping token to whatever it wraps, a refusal included, and
// the header that asks for it may be the client's.
const ErrWrapped record.Mistake = "an answer by the HTTP status cannot be wrapped: strip X-Vault-Wrap-TTL"

// HeaderOf is the header that may stand for a parameter.
func HeaderOf(parameter string) string {
	for _, h := range Headers {
		if h.Parameter == parameter {
			return h.Header
		}
	}
	return ""
}
