package paths

import (
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

// coded is the status of a request.
func (sv *services) coded(t *testing.T, op logical.Operation, path string, data params) int {
	t.Helper()
	resp, err := sv.ask(t, op, path, data, nil)
	if coded, ok := err.(logical.HTTPCodedError); ok {
		return coded.Code()
	}
	switch {
	case err != nil:
		t.Fatalf("%s %s: %v", op, path, err)
	case resp.IsError():
		return http.StatusBadRequest
	case resp == nil:
		return http.StatusNoContent
	}
	return http.StatusOK
}

func TestAChildIsAnsweredAsAKeyWithoutALease(t *testing.T) {
	t.Parallel()
	sv, parent := issued(t)
	sv.role(t, "web", func(r *record.Role) {
		r.MaxDelegationDepth, r.GenerateLease, r.AllowedScopes = 1, true, []string{"read"}
	})
	resp := sv.must(t, logical.UpdateOperation, "delegate", params{
		"key": parent["key"], "name": "child", "metadata": params{"a": "b"}, "ttl": "30s", "rate_limit": 5.0, "quota": "6", "bound_cidrs": "10.0.0.0/8", "scopes": []any{},
	})
	child := resp.Data
	for field, want := range map[string]any{
		"parent_key_id": parent["key_id"], "name": "child", "role": "web", "owner": "acme", "rate_limit": int64(5), "quota": int64(6), "status": "active", "version": 1,
		"bound_cidrs": []string{"10.0.0.0/8"}, "scopes": []string{},
	} {
		if !reflect.DeepEqual(child[field], want) {
			t.Errorf("%s is %v", field, child[field])
		}
	}
	for _, field := range []string{"ttl", "rotation_period", "previous_version"} {
		if _, shown := child[field]; shown {
			t.Errorf("it shows %s", field)
		}
	}
	if resp.Secret != nil {
		t.Error("it is leased")
	}
	got := sv.must(t, logical.UpdateOperation, "verify", params{"key": child["key"], "client_ip": "10.1.1.1"}).Data
	if got["code"] != "valid" || got["parent_key_id"] != parent["key_id"] || got["rate_remaining"] != int64(4) || got["quota_remaining"] != int64(5) {
		t.Errorf("verify answers %v", got)
	}
	read := sv.must(t, logical.ReadOperation, "keys/"+child["key_id"].(string), nil).Data
	if read["ttl"] != int64(30) || read["last_used_at"] == "" || read["quota_remaining"] != int64(5) || read["quota_resets_at"] != "" {
		t.Errorf("a read answers %v", read)
	}
	if above := sv.must(t, logical.ReadOperation, "keys/"+parent["key_id"].(string), nil).Data; above["last_used_at"] != read["last_used_at"] {
		t.Errorf("its parent was last used at %q", above["last_used_at"])
	}
}

func TestWhatDelegateAnswersToMistakes(t *testing.T) {
	t.Parallel()
	sv, parent := issued(t)
	sv.role(t, "web", func(r *record.Role) { r.MaxDelegationDepth = 1 })
	with := func(name string, value any) params { return params{"key": parent["key"], name: value} }
	for name, tc := range map[string]struct {
		data params
		want int
	}{
		"nothing":                {nil, 400},
		"an empty key":           {params{"key": ""}, 400},
		"no key of the mount":    {params{"key": "vak_x"}, 404},
		"another owner":          {with("owner", "eve"), 400},
		"a role":                 {with("role", "web"), 400},
		"an id":                  {with("key_id", "x"), 400},
		"a parent":               {with("parent_key_id", "x"), 400},
		"scopes beyond":          {with("scopes", "admin"), 400},
		"empty scopes":           {with("scopes", ""), 400},
		"networks of nothing":    {with("bound_cidrs", " , "), 400},
		"a rate below zero":      {with("rate_limit", -1.0), 400},
		"a rate in no time":      {with("rate_limit_period", "0s"), 400},
		"a quota too large":      {with("quota", 1e15+1), 400},
		"a ttl of half a second": {with("ttl", "500ms"), 400},
	} {
		if got := sv.coded(t, logical.UpdateOperation, "delegate", tc.data); got != tc.want {
			t.Errorf("%s: %d", name, got)
		}
	}
	sv.must(t, logical.UpdateOperation, "rotate/"+parent["key_id"].(string), nil)
	if got := sv.coded(t, logical.UpdateOperation, "delegate", params{"key": parent["key"]}); got != http.StatusConflict {
		t.Errorf("a superseded version: %d", got)
	}
}

func TestAStopAnswersWhenAndWhy(t *testing.T) {
	t.Parallel()
	sv, key := issued(t)
	id := key["key_id"].(string)
	got := sv.must(t, logical.UpdateOperation, "stop/owners/acme", params{"reason": "leaked"}).Data
	if got["reason"] != "leaked" || got["revoked_before"] == "" || len(got) != 2 {
		t.Errorf("it answers %v", got)
	}
	read := sv.must(t, logical.ReadOperation, "keys/"+id, nil).Data
	if read["status"] != "revoked" || read["revoked_at"] != got["revoked_before"] || read["revoke_reason"] != "leaked" {
		t.Errorf("its key reads %v", read)
	}
	for path, tc := range map[string]struct {
		data params
		want int
	}{
		"stop/owners/nobody": {nil, 200}, "stop/owners/a..b": {nil, 400}, "stop/owners/acme": {params{"reason": 1.0}, 400},
		"stop/roles/web": {params{"reason": ""}, 200}, "stop/roles/none": {nil, 404}, "stop/roles/a..b": {nil, 400},
	} {
		if got := sv.coded(t, logical.UpdateOperation, path, tc.data); got != tc.want {
			t.Errorf("%s: %d", path, got)
		}
	}
	if again := sv.must(t, logical.UpdateOperation, "stop/owners/acme", nil).Data; again["reason"] != "" {
		t.Errorf("repeated it answers %v", again)
	}
	if got := sv.coded(t, logical.DeleteOperation, "roles/web", nil); got != http.StatusNoContent {
		t.Errorf("a stopped role's deletion: %d", got)
	}
}

func TestAKeyShowsItsOwnLimitsAndWhatIsLeft(t *testing.T) {
	t.Parallel()
	sv, _ := issued(t)
	sv.role(t, "web", func(r *record.Role) { r.RateLimit, r.RateLimitPeriod, r.Quota, r.QuotaPeriod = 10, 60, 100, 3600 })
	key := sv.must(t, logical.UpdateOperation, "issue/web", params{"quota": 50.0}).Data
	path := "keys/" + key["key_id"].(string)
	shows := func(when string, data params, want params) {
		t.Helper()
		for field, value := range want {
			if !reflect.DeepEqual(data[field], value) {
				t.Errorf("%s: %s is %v, want %v", when, field, data[field], value)
			}
		}
	}
	own := params{"rate_limit": int64(0), "rate_limit_period": int64(60), "quota": int64(50), "quota_period": int64(3600), "parent_key_id": ""}
	shows("issued", key, own)
	sv.must(t, logical.UpdateOperation, "verify", params{"key": key["key"], "cost": 7.0})
	created, err := time.Parse(time.RFC3339, key["created_at"].(string))
	if err != nil {
		t.Fatal(err)
	}
	own["quota_remaining"], own["quota_resets_at"] = int64(43), created.Add(time.Hour).Format(time.RFC3339)
	shows("read", sv.must(t, logical.ReadOperation, path, nil).Data, own)
	own["quota"], own["quota_remaining"] = int64(20), int64(13)
	shows("changed", sv.must(t, logical.UpdateOperation, path, params{"quota": 20.0}).Data, own)
	own["quota"], own["quota_remaining"] = int64(0), int64(93)
	shows("without its own", sv.must(t, logical.UpdateOperation, path, params{"quota": 0.0}).Data, own)
	if got := sv.coded(t, logical.UpdateOperation, path, params{"quota": 101.0}); got != http.StatusBadRequest {
		t.Errorf("more than the role's: %d", got)
	}
	sv.role(t, "web", func(r *record.Role) { r.Quota = 0 })
	if _, shown := sv.must(t, logical.ReadOperation, path, nil).Data["quota_remaining"]; shown {
		t.Error("what is left of no quota is shown")
	}
}
