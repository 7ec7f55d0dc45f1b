package requests

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/surface"
)

// kind is what a parameter of a type must refuse, and what it must take, in JSON.
type kind struct{ bad, good []string }

// numbers are what no number and no duration may be.
var numbers = []string{
	`-1`, `1.5`, `1e308`, `-1e308`, `1e-5`, `9223372036854775808`, `18446744073709551616`, `true`, `false`, `null`, `[]`, `[1]`, `{}`,
	`{"seconds": 1}`, `""`, `" "`, `"-1"`, `"+1"`, `"1.5"`, `"0x10"`, `"0b1"`, `"1e3"`, `"1_000"`, `" 1"`, `"1 "`, `"1\n"`, `"NaN"`, `"Inf"`,
	`"9223372036854775808"`, `"-9223372036854775809"`, `"true"`, `"١"`, `"１"`, `"null"`, `"1\u0000"`, `"1,5"`, `"1;2"`,
}

var (
	durations = kind{
		bad: append([]string{
			`"1h-5m"`, `"500ms"`, `"1s500ms"`, `"10y"`, `"1w"`, `"1.5h"`, `"0.5h"`, `"-1h"`, `"5m1h"`, `"1h1h"`, `"1h 5m"`, `"h"`, `"1H"`, `"1hour"`, `"1d12h"`,
			`315360001`, `"315360001"`, `"3651d"`, `"87601h"`, `"87600h1s"`, `"999999999h999999999m999999999s"`, `"99999999999h"`, `"1µs"`, `"1ns"`,
		}, numbers...),
		good: []string{`0`, `"0"`, `60`, `60.0`, `"60"`, `"60s"`, `"1m"`, `"0h1m0s"`},
	}
	counts = kind{bad: append([]string{`"010"`, `"00"`, `"1h"`, `"1s"`}, numbers...)}
	flags  = kind{
		bad:  []string{`null`, `""`, `" "`, `"yes"`, `"no"`, `"on"`, `2`, `0`, `1`, `-1`, `1.5`, `[]`, `[true]`, `{}`, `" true"`, `"truex"`, `"10"`},
		good: []string{`false`, `"false"`, `"0"`},
	}
	lists = kind{
		bad: []string{
			`null`, `""`, `" "`, `","`, `" , "`, `"read:a,,read:b"`, `"read:a,"`, `[""]`, `[" "]`, `["", ""]`, `["read:a", ""]`, `[null]`, `[1]`, `[true]`, `[[]]`, `[["read:a"]]`,
			`[{}]`, `{}`, `{"0": "read:a"}`, `7`, `0`, `true`, `false`, `"[]"`, `"{}"`, `["\t"]`, `["\u00a0"]`,
		},
		good: []string{`[]`},
	}
	networks = kind{
		bad: append([]string{
			`"10.0.0.1/8"`, `"010.0.0.1"`, `"10.0.0.0/08"`, `"10.0.0"`, `"10.0.0.0/33"`, `"fe80::1%eth0"`, `"fe80::%eth0/64"`, `"*"`, `"any"`, `"10.0.0.1:80"`, `"[::1]"`,
			`"0x0a.0.0.1"`, `"10.0.0.0/-1"`, `["10.0.0.0/8 "]`, `["10.0.0.0/8", "x"]`, `"localhost"`, `["10.0.0.0/8,::1"]`,
		}, lists.bad...),
		good: []string{`[]`, `["10.0.0.0/8"]`, `"10.0.0.0/8,::1"`, `["::ffff:10.0.0.1"]`},
	}
	scopes = kind{
		bad: append([]string{
			`"read:*:x"`, `"*:read"`, `"re*"`, `":"`, `"read:"`, `":read"`, `"read::x"`, `"read x"`, `"read\nx"`, `"réad"`, `["read:a,read:b"]`, `["read:a "]`, `"**"`,
			`["` + strings.Repeat("a", 257) + `"]`,
		}, lists.bad...),
		good: []string{`[]`, `["read:a"]`, `"read:a,read:b"`},
	}
	pairs = kind{
		bad: []string{
			`null`, `""`, `" "`, `"novalue"`, `[""]`, `["novalue"]`, `[1]`, `7`, `true`, `{"a": 1}`, `{"a": null}`, `{"a": true}`, `{"a": ["b"]}`, `{"a": {}}`,
			`{"": "b"}`, `["a=b", "a=c"]`, `"=b"`, `[{"a": "b"}]`,
		},
		good: []string{`{}`, `{"a": "b"}`, `{"a": ""}`, `"a=b"`, `["a=b", "c=d=e"]`, `[]`},
	}
	words = kind{bad: []string{`null`, `""`, `7`, `true`, `[]`, `["x"]`, `{}`, `" "`, `"a/b"`, `"a b"`, `"..\u0000"`}}
	texts = kind{bad: []string{`null`, `7`, `true`, `[]`, `["x"]`, `{}`, `"a\nb"`, `"\u0000"`, `"\u001b[31m"`, `"\u202e"`}, good: []string{`""`, `"für alle"`}}
)

// parameter is one that an operation takes.
type parameter struct {
	path, name string
	kind       kind
}

func parameters() []parameter {
	all := []parameter{
		{"config", "revoked_retention", durations}, {"config", "argon2_memory_kib", counts}, {"config", "argon2_iterations", counts},
		{"config", "argon2_parallelism", counts}, {"config", "verify_cache_size", counts}, {"config", "allow_key_in_query", flags}, {"config", "default_prefix", words},
		{"verify", "scopes", scopes}, {"verify/{role}", "scopes", scopes}, {"verify", "client_ip", words}, {"verify", "key", kind{bad: words.bad[:7]}},
		{"revoke/{key_id}", "reason", texts}, {"rotate", "key", kind{bad: words.bad[:7]}}, {"revoke", "key", kind{bad: words.bad[:7]}}, {"issue", "role", words},
	}
	for _, name := range []string{"ttl", "max_ttl", "grace_period", "rotation_period"} {
		all = append(all, parameter{"roles/{role}", name, durations})
	}
	all = append(all, parameter{"roles/{role}", "max_grace_period", kind{bad: durations.bad}}) // no less than grace_period
	for name, k := range map[string]kind{
		"description": texts, "generate_lease": flags, "allowed_scopes": scopes, "default_scopes": scopes, "bound_cidrs": networks,
		"metadata": pairs, "require_owner": flags, "require_scopes": flags, "disabled": flags,
		"owner_may_widen": {bad: append([]string{`"owner"`, `["scopes", "scopes"]`, `"scopes,disabled"`}, scopes.bad...), good: []string{`[]`, `"limits"`, `["metadata", "bound_cidrs"]`}},
		"owner_template":  {bad: words.bad[2:]}, "prefix": {bad: append([]string{`"A"`, `"a__b"`, `"_a"`, `"1a"`, `"a.*"`, `"a-b"`}, words.bad[2:]...)},
	} {
		all = append(all, parameter{"roles/{role}", name, k})
	}
	for name, k := range map[string]kind{"name": texts, "scopes": scopes, "bound_cidrs": networks, "metadata": pairs} {
		all = append(all, parameter{"issue/{role}", name, k}, parameter{"keys/{key_id}", name, k})
	}
	for _, path := range []string{"rotate/{key_id}", "owners/{owner}/keys/{key_id}/rotate"} {
		all = append(all, parameter{path, "ttl", durations}, parameter{path, "grace_period", kind{bad: durations.bad}}, parameter{path, "expected_version", counts})
	}
	return append(all, parameter{"issue/{role}", "ttl", durations}, parameter{"issue/{role}", "owner", words}, parameter{"keys/{key_id}", "disabled", flags}, parameter{"keys/{key_id}", "disabled_reason", kind{bad: texts.bad}})
}

func TestValuesThatCannotBeMeantAreRefusedAndNothingHappens(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	before := e.Stored(t)
	for _, p := range parameters() {
		for _, value := range p.kind.bad {
			wantRefused(t, e, 400, k.Fill(p.path), withKey(p, k, value), p.name)
		}
	}
	e.WantStored(t, before)
}

func TestValuesThatAreMeantAreTaken(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	for _, p := range parameters() {
		if strings.Contains(p.path, "{key_id}") {
			k = e.Issue(t, "web", "acme") // what was done to the last one shall not matter
		}
		for _, value := range p.kind.good {
			body := withKey(p, k, value)
			if r := e.Ask(t, "POST", k.Fill(p.path), body); r.Status != 200 {
				t.Errorf("POST %s %s: %d: %s", p.path, body, r.Status, shown(r))
			}
		}
		if p.path == "roles/{role}" { // each starts from the role that all tests have
			e.Write(t, "roles/web", fields{"ttl": 0, "max_ttl": 0, "grace_period": "24h", "max_grace_period": "168h",
				"allowed_scopes": []string{"read:*"}, "default_scopes": []string{}, "bound_cidrs": []string{}, "require_scopes": false, "disabled": false})
		}
	}
}

func TestAPageHasALimitAndBeginsAfterAnID(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	for _, path := range []string{"keys", "owners/acme/keys"} {
		for _, query := range []string{
			"limit=0", "limit=1001", "limit=-1", "limit=", "limit=1.5", "limit=0x10", "limit=010", "limit=x", "limit=9223372036854775808", "limit=1&limit=2", "limit=true",
			"after=..", "after=a/b", "after=" + k.ID + "0", "after=%00", "after=-", "after=a&after=b", "after=" + k.Text, "unknown=1", "after=é",
		} {
			for _, request := range [][2]string{{"LIST", path + "?" + query}, {"GET", path + "?list=true&" + query}} {
				if r := e.Ask(t, request[0], request[1], nil); r.Status != 400 {
					t.Errorf("%s %s: %d: %s", request[0], request[1], r.Status, shown(r))
				}
			}
		}
		for query, status := range map[string]int{"limit=1": 200, "limit=1000": 200, "after=": 200, "after=" + k.ID: 404, "after=zzzzzzzzzzzzzzzz": 404, "after=0&limit=1": 200} {
			e.Want(t, status, "LIST", path+"?"+query, nil)
		}
	}
}

// withKey is a body with one value, and with a key where one is required.
func withKey(p parameter, k surface.Key, value string) string {
	if p.name != "key" && (p.path == "verify" || p.path == "verify/{role}") {
		return fmt.Sprintf(`{"key": %q, %q: %s}`, k.Text, p.name, value)
	}
	return fmt.Sprintf(`{%q: %s}`, p.name, value)
}

func TestTenYearsAreTheLongestDuration(t *testing.T) {
	e := mounted(t)
	for _, value := range []string{`315360000`, `"315360000"`, `"3650d"`, `"87600h"`, `"87599h60m"`} {
		r := e.Want(t, 200, "POST", "roles/long", `{"rotation_period": `+value+`}`)
		if got := r.Data()["rotation_period"]; got != json.Number("315360000") {
			t.Errorf("rotation_period %s is answered as %v", value, got)
		}
	}
}

func TestAKeyWithoutRestrictionsIsNeverTheAnswerToAnEmptyVariable(t *testing.T) {
	e := mounted(t)
	before := e.Stored(t)
	for _, body := range []string{"scopes=", "bound_cidrs=", "ttl=", "owner=", "metadata=", "scopes=%20,%20", "bound_cidrs=,", "scopes=&scopes="} {
		r := e.Ask(t, "POST", "issue/web", body, "Content-Type: application/x-www-form-urlencoded")
		if r.Status != 400 {
			t.Errorf("a form with %s: %d, wanted 400: %s", body, r.Status, shown(r))
		}
	}
	for _, argument := range []string{"scopes=", "bound_cidrs=", "ttl=", "owner=", "metadata="} {
		e.ExpectCLI(t, 2, "write", e.Mount+"/issue/web", argument)
	}
	for _, query := range []string{"scopes=", "client_ip=", "scopes=,", "client_ip=%20", "scopes=a&scopes="} {
		e.Want(t, 400, "GET", "verify?"+query, nil, "X-API-Key: whatever")
	}
	e.WantStored(t, before)
}
