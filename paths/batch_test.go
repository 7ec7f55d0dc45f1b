package paths

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// results asks about items, and answers what each became, as a client gets it.
func (sv *services) results(t *testing.T, path string, items ...any) []map[string]any {
	t.Helper()
	resp := sv.must(t, logical.UpdateOperation, path, map[string]any{"batch_input": items})
	raw, _ := resp.Data[logical.HTTPRawBody].([]byte)
	var got struct {
		Data map[string][]map[string]any
	}
	if err := json.Unmarshal(raw, &got); err != nil || len(got.Data["batch_results"]) != len(items) || len(got.Data) != 1 {
		t.Fatalf("%d items were answered with %s", len(items), raw)
	}
	return got.Data["batch_results"]
}

func TestABatchTellsTheAuditLogWhatWasDecided(t *testing.T) {
	t.Parallel()
	sv, key := issued(t)
	text := key["key"]
	resp := sv.must(t, logical.UpdateOperation, "verify", params{"batch_input": []any{
		params{"key": text}, params{"key": "x"}, params{}, params{"key": text, "brief": true, "scopes": "admin"},
	}})
	for name, want := range map[string]any{
		"key_id":      []string{key["key_id"].(string), "", "", key["key_id"].(string)},
		"owner":       []string{"acme", "", "", "acme"},
		"code":        []string{"valid", "invalid", "", "insufficient_scope"},
		"http_status": []int{200, 401, 400, 403},
	} {
		if got := resp.Data[name]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, not %v", name, got, want)
		}
	}
}

func TestAWrappedBatchIsAnsweredInData(t *testing.T) {
	t.Parallel()
	sv, key := issued(t)
	resp, err := sv.send(t, params{"batch_input": []any{params{"key": key["key"]}}}, &logical.Request{
		Operation: logical.UpdateOperation, Path: "verify", WrapInfo: &logical.RequestWrapInfo{TTL: time.Minute},
	})
	if err != nil || len(resp.Data) != 1 {
		t.Fatalf("%v, %v", resp, err)
	}
	results, _ := resp.Data["batch_results"].([]map[string]any)
	if len(results) != 1 || results[0]["valid"] != true {
		t.Errorf("%v", resp.Data)
	}
}

// params are what a caller sends.
type params = map[string]any

func TestEachItemOfABatchIsDecidedInItsPlace(t *testing.T) {
	t.Parallel()
	sv, key := issued(t)
	text := key["key"]
	for i, tc := range []struct {
		item   any
		code   any
		status float64
		says   string
	}{
		{params{"key": text}, "valid", 200, ""},
		{params{"key": "x"}, "invalid", 401, ""},
		{params{"key": text, "scopes": "admin"}, "insufficient_scope", 403, ""},
		{params{"key": text, "brief": true}, "valid", 200, ""},
		{params{"key": text, "client_ip": "10.0.0.1"}, "valid", 200, ""},
		{params{}, nil, 400, `missing parameter "key"`},
		{params{"key": ""}, nil, 400, "key must not be empty"},
		{params{"key": []any{text}}, nil, 400, "key must be a string"},
		{params{"key": text, "kex": 1}, nil, 400, `unknown parameter "kex"`},
		{params{"key": text, canary: 1}, nil, 400, "unknown parameter"},
		{params{"key": text, "role": "web"}, nil, 400, `unknown parameter "role"`},
		{params{"key": text, "batch_input": []any{}}, nil, 400, `unknown parameter "batch_input"`},
		{params{"key": text, "client_ip": "x"}, nil, 400, "client_ip must be one IP address"},
		{params{"key": text, "cost": -1.0}, nil, 400, "cost must be"},
		{params{"key": text, "scopes": ""}, nil, 400, "scopes has an empty entry"},
		{"text", nil, 400, "must be an object"},
		{nil, nil, 400, "must be an object"},
		{1.0, nil, 400, "must be an object"},
		{[]any{text}, nil, 400, "must be an object"},
	} {
		for name, items := range map[string][]any{"alone": {tc.item}, "among others": {params{"key": "x"}, tc.item, params{"key": text}}} {
			results := sv.results(t, "verify", items...)
			got := results[len(results)/2]
			says, _ := got["error"].(string)
			if got["code"] != tc.code || got["http_status"] != tc.status || !strings.Contains(says, tc.says) || (tc.says == "") != (says == "") || strings.Contains(says, "CANARY") {
				t.Errorf("item %d, %s: %v", i, name, got)
			}
			if tc.says != "" && len(got) != 2 {
				t.Errorf("item %d, %s, tells more than its error: %v", i, name, got)
			}
			if len(items) == 3 && (results[0]["code"] != "invalid" || results[2]["code"] != "valid") {
				t.Errorf("item %d spoils its neighbours: %v", i, results)
			}
		}
	}
}

func TestABatchUnderARoleIsAboutItsKeys(t *testing.T) {
	t.Parallel()
	sv, key := issued(t)
	for path, want := range map[string]any{"verify": "valid", "verify/web": "valid", "verify/batch": "invalid", "verify/..": "invalid"} {
		if got := sv.results(t, path, params{"key": key["key"]}); got[0]["code"] != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestWhatMakesAWholeBatchAMistake(t *testing.T) {
	t.Parallel()
	sv, key := issued(t)
	item := params{"key": key["key"]}
	for name, tc := range map[string]struct {
		data params
		ok   bool
	}{
		"one item":                    {params{"batch_input": []any{item}}, true},
		"a thousand":                  {params{"batch_input": slices.Repeat([]any{params{"key": "x"}}, 1000)}, true},
		"one more":                    {params{"batch_input": slices.Repeat([]any{params{"key": "x"}}, 1001)}, false},
		"none":                        {params{"batch_input": []any{}}, false},
		"no list":                     {params{"batch_input": item}, false},
		"a text":                      {params{"batch_input": canary}, false},
		"nothing":                     {params{"batch_input": nil}, false},
		"beside a key":                {params{"batch_input": []any{item}, "key": key["key"]}, false},
		"beside brief":                {params{"batch_input": []any{item}, "brief": true}, false},
		"beside a cost":               {params{"batch_input": []any{item}, "cost": 1.0}, false},
		"beside what nobody knows":    {params{"batch_input": []any{item}, "more": 1}, false},
		"beside the role of its path": {params{"batch_input": []any{item}, "role": "web"}, true},
	} {
		resp, err := sv.ask(t, logical.UpdateOperation, "verify/web", tc.data, nil)
		if err != nil || resp.IsError() == tc.ok || strings.Contains(fmt.Sprint(resp.Data["error"]), "CANARY") {
			t.Errorf("%s: %v, %v", name, resp.Data["error"], err)
		}
	}
	if resp, err := sv.ask(t, logical.ReadOperation, "verify", params{"batch_input": []any{item}}, nil); err != nil || !resp.IsError() {
		t.Errorf("a read takes a batch: %v, %v", resp, err)
	}
}

func TestItemsSpendInOrder(t *testing.T) {
	t.Parallel()
	sv, key := issued(t)
	sv.role(t, "web", func(r *record.Role) { r.RateLimit, r.RateLimitPeriod = 3, 3600 })
	var codes []any
	for _, cost := range []any{2.0, 0.0, 2.0, 1.0, 1.0, 0.0, 4.0} {
		codes = append(codes, sv.results(t, "verify", params{"key": key["key"], "cost": cost})[0]["code"])
	}
	text := params{"key": key["key"]}
	sv.role(t, "web", func(r *record.Role) { r.RateLimit, r.Quota = 0, 2 })
	for _, result := range sv.results(t, "verify", text, params{"key": "x"}, text, text) {
		codes = append(codes, result["code"])
	}
	want := []any{"valid", "valid", "rate_limited", "valid", "rate_limited", "valid", "rate_limited", "valid", "invalid", "valid", "quota_exceeded"}
	if !slices.Equal(codes, want) {
		t.Errorf("they are %v", codes)
	}
}

func TestTheErrorOfAnItem(t *testing.T) {
	t.Parallel()
	sv, _ := issued(t)
	type told struct {
		text   string
		status int
	}
	for err, want := range map[error]told{
		record.Mistake("no"):      {"no", 400},
		keyhash.ErrBusy:           {"busy: too many keys are being hashed; try again", 503},
		limit.ErrBusy:             {limit.ErrBusy.Error(), 503},
		context.DeadlineExceeded:  {"busy: too many keys are being hashed; try again", 503},
		errors.New("$argon2id$x"): {"internal error", 500},
	} {
		sv.Verify.Verifier = undecided{fmt.Errorf("wrapped: %w", err)}
		got := sv.results(t, "verify", params{"key": "x"})[0]
		if got["error"] != want.text || got["http_status"] != float64(want.status) || len(got) != 2 {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// undecided is a verifier in trouble.
type undecided struct{ err error }

func (u undecided) Verify(context.Context, verify.Request) (verify.Decision, error) {
	return verify.Decision{}, u.err
}

func TestABriefAnswerIsBrief(t *testing.T) {
	t.Parallel()
	sv, key := issued(t)
	sv.role(t, "web", func(r *record.Role) { r.Quota, r.Metadata = 1, map[string]string{"a": "b"} })
	for i, want := range []string{"valid", "quota_exceeded"} {
		got := sv.must(t, logical.UpdateOperation, "verify", params{"key": key["key"], "brief": "true"}).Data
		if len(got) != 5 || got["code"] != want || got["valid"] != (i == 0) || got["key_id"] != key["key_id"] || got["owner"] != "acme" {
			t.Errorf("it is %v", got)
		}
	}
	if got := sv.must(t, logical.UpdateOperation, "verify", params{"key": "x", "brief": true}).Data; len(got) != 3 || got["code"] != "invalid" {
		t.Errorf("of what is not proven it is %v", got)
	}
}

// late is a hash, or a storage in another process, that is not done in time and
// says so in its own words.
type late struct{}

func (late) Match(ctx context.Context, _ keyhash.PHC, _ string) (bool, error) {
	<-ctx.Done()
	return false, errors.New("rpc error: code = DeadlineExceeded")
}

func TestWhatABatchHasNoTimeForIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sv, key := issued(t)
		sv.Verifier.Prover.(*verify.ByHash).Matcher = late{}
		results := sv.results(t, "verify", params{"key": key["key"]}, params{"key": "x"}, params{}, params{"key": key["key"]})
		for i, want := range []float64{503, 401, 400, 503} {
			if results[i]["http_status"] != want {
				t.Errorf("item %d: %v", i, results[i])
			}
		}
	})
}
