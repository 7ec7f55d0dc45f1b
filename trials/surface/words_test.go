package surface

import (
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// What looks like the issuer's word must be it: a tenant at its owner's path and
// the holder of a key may narrow, and add where nothing is said.

type fields = map[string]any

// ownersPath is a mount with a key of acme whose limits, networks, scopes and
// metadata the issuer chose.
func ownersPath(t *testing.T, mayWiden []string) (m *mount.Mount, path, text string) {
	m = mount.New(t)
	m.Must("roles/web", fields{
		"generate_lease": false, "allowed_scopes": "*", "owner_may_widen": append([]string{}, mayWiden...),
	})
	k := m.Must("issue/web", fields{
		"owner": "acme", "scopes": "read:*", "bound_cidrs": "10.0.0.0/8", "metadata": fields{"plan": "basic"},
		"rate_limit": 10, "rate_limit_period": 60, "quota": 1000, "quota_period": "1d",
	})
	return m, "owners/acme/keys/" + k.Str("key_id"), k.Str("key")
}

// widenings and narrowings are what a tenant may try, by kind.
var widenings = map[string][]fields{
	"scopes": {
		{"scopes": "*"}, {"scopes": "write"}, {"scopes": "read"}, {"scopes": "read:a,write"},
	},
	"bound_cidrs": {
		{"bound_cidrs": []any{}}, {"bound_cidrs": "0.0.0.0/0"}, {"bound_cidrs": "10.0.0.0/7"}, {"bound_cidrs": "10.0.0.0/8,192.0.2.1"}, {"bound_cidrs": "::1"},
	},
	"limits": {
		{"rate_limit": 0}, {"rate_limit": 11}, {"rate_limit_period": 1}, {"rate_limit_period": 61}, {"rate_limit": 9, "rate_limit_period": 30},
		{"quota": 0}, {"quota": 1001}, {"quota_period": 0}, {"quota_period": "2d"}, {"quota": 999, "quota_period": "1h"},
		{"rate_limit": 5, "quota": 1001},
	},
	"metadata": {
		{"metadata": fields{}}, {"metadata": fields{"plan": "gold"}}, {"metadata": fields{"plan": "basic", "more": "x"}},
	},
}

var narrowings = []fields{
	{"scopes": "read:*"}, {"scopes": "read:a,read:b:*"}, {"scopes": []any{}},
	{"bound_cidrs": "10.0.0.0/8"}, {"bound_cidrs": "10.1.0.0/16,10.2.3.4"},
	{"rate_limit": 10, "rate_limit_period": 60}, {"rate_limit": 9}, {"quota": 1000, "quota_period": "1d"}, {"quota": 1},
	{"metadata": fields{"plan": "basic"}}, {"name": "a name"}, {"disabled": true}, {"disabled": false},
}

func TestAnOwnersDoorNarrowsAndWidensOnlyWhatTheRoleLists(t *testing.T) {
	for _, listed := range [][]string{nil, {"scopes"}, {"bound_cidrs"}, {"limits"}, {"metadata"}, {"scopes", "limits"}} {
		for kind, changes := range widenings {
			for _, change := range changes {
				m, path, _ := ownersPath(t, listed)
				before := m.Read(path).Data
				want := http.StatusBadRequest
				for _, l := range listed {
					if l == kind {
						want = http.StatusOK
					}
				}
				if a := m.Write(path, change); a.Status != want {
					t.Errorf("%v, where %v may be widened: %d %s, want %d", change, listed, a.Status, a.Text, want)
				}
				if after := m.Read(path).Data; want != http.StatusOK && !reflect.DeepEqual(after, before) {
					t.Errorf("%v was refused and done", change)
				}
				m.Must("keys/"+path[len("owners/acme/keys/"):], change) // the operator's path
			}
		}
	}
	for _, change := range narrowings {
		m, path, _ := ownersPath(t, nil)
		m.Must(path, change)
	}
}

func TestALimitThatWasNoneMayBeSetAtAnOwnersDoor(t *testing.T) {
	m := mount.New(t)
	m.Must("roles/web", fields{"generate_lease": false})
	path := "owners/acme/keys/" + m.Must("issue/web", fields{"owner": "acme"}).Str("key_id")
	m.Must(path, fields{"bound_cidrs": "10.0.0.0/8"})
	m.Must(path, fields{"rate_limit": 5, "rate_limit_period": 3600})
	m.Must(path, fields{"quota": 5, "quota_period": "30d"})
	for _, change := range []fields{{"rate_limit_period": 60}, {"quota_period": "1d"}, {"bound_cidrs": []any{}}} {
		if a := m.Write(path, change); a.Status != http.StatusBadRequest {
			t.Errorf("%v: %d", change, a.Status)
		}
	}
}

func TestWhatAnOwnerMayWidenIsOneOfFour(t *testing.T) {
	m := mount.New(t)
	for _, list := range []any{"owner", "scopes,disabled", "recipients", []any{"scopes", "scopes"}, "Scopes", ""} {
		if a := m.Write("roles/web", fields{"owner_may_widen": list}); a.Status != http.StatusBadRequest {
			t.Errorf("%v: %d", list, a.Status)
		}
	}
	for _, list := range [][]any{{"metadata", "scopes", "bound_cidrs", "limits"}, {}} {
		if a := m.Must("roles/web", fields{"owner_may_widen": list}); !reflect.DeepEqual(a.Data["owner_may_widen"], list) {
			t.Errorf("%v is answered as %v", list, a.Data["owner_may_widen"])
		}
	}
}

func TestAnOperatorsDisabledIsLiftedAtNoOtherDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, owner, text := ownersPath(t, nil)
		operator := "keys/" + owner[len("owners/acme/keys/"):]
		now := func() string { return time.Now().UTC().Format(time.RFC3339) }
		step := func(by string, change fields, status int, disabled bool, at, reason string) {
			t.Helper()
			if a := m.Write(by, change); a.Status != status {
				t.Fatalf("%v at %s: %d %s", change, by, a.Status, a.Text)
			}
			for _, path := range []string{operator, owner} {
				got := m.Read(path).Data
				if want := (fields{"disabled": disabled, "disabled_at": at, "disabled_reason": reason}); !reflect.DeepEqual(fields{"disabled": got["disabled"], "disabled_at": got["disabled_at"], "disabled_reason": got["disabled_reason"]}, want) {
					t.Fatalf("%s after %v at %s reads %v %v %v", path, change, by, got["disabled"], got["disabled_at"], got["disabled_reason"])
				}
			}
			want := "valid"
			if disabled {
				want = "disabled"
			}
			if got := m.Must("verify", fields{"key": text, "client_ip": "10.0.0.1"}).Str("code"); got != want {
				t.Fatalf("the key is %s", got)
			}
			time.Sleep(time.Minute)
		}
		off := func(reason ...string) fields {
			f := fields{"disabled": true}
			for _, r := range reason {
				f["disabled_reason"] = r
			}
			return f
		}
		on := fields{"disabled": false}
		// The owner's alone.
		first := now()
		step(owner, off("ours"), 200, true, first, "ours")
		step(owner, off(), 200, true, first, "ours") // what is not sent stays
		step(owner, fields{"disabled_reason": "changed"}, 200, true, first, "changed")
		step(owner, on, 200, false, "", "")
		step(owner, off("again"), 200, true, now(), "again")
		step(operator, on, 200, false, "", "")
		// The operator's alone.
		second := now()
		step(operator, off("unpaid"), 200, true, second, "unpaid")
		step(owner, on, 400, true, second, "unpaid")
		step(owner, fields{"disabled": false, "name": "x"}, 400, true, second, "unpaid")
		step(owner, off(), 200, true, second, "unpaid")
		step(owner, off("paid"), 400, true, second, "unpaid")
		step(owner, fields{"disabled_reason": ""}, 400, true, second, "unpaid")
		step(owner, off("unpaid"), 200, true, second, "unpaid") // written back as read
		step(owner, on, 400, true, second, "unpaid")
		step(operator, off("still unpaid"), 200, true, second, "still unpaid")
		step(operator, on, 200, false, "", "")
		// The owner's, and then the operator's as well: its word replaces the owner's.
		step(owner, off("leaked"), 200, true, now(), "leaked")
		third := now()
		step(operator, off(), 200, true, third, "")
		step(owner, on, 400, true, third, "")
		step(operator, on, 200, false, "", "")
		// A reason belongs to a disabled key.
		step(operator, fields{"disabled_reason": "why"}, 400, false, "", "")
		step(operator, fields{"disabled": false, "disabled_reason": "why"}, 400, false, "", "")
		step(operator, fields{"disabled": false, "disabled_reason": ""}, 200, false, "", "")
		step(operator, fields{"disabled": true, "disabled_reason": fmt.Sprintf("%0257d", 0)}, 400, false, "", "")
		step(operator, fields{"disabled": true, "disabled_reason": "a\nb"}, 400, false, "", "")
	})
}

func TestAChildsMetadataReplacesNoneAboveIt(t *testing.T) {
	m := mount.New(t)
	m.Must("roles/web", fields{"generate_lease": false, "metadata": fields{"tier": "free", "env": "live"}, "max_delegation_depth": 3, "owner_may_widen": "metadata"})
	root := m.Must("issue/web", fields{"owner": "acme", "metadata": fields{"plan": "basic", "tier": "silver"}})
	for _, pair := range []fields{{"plan": "gold"}, {"tier": "gold"}, {"env": "test"}, {"job": "export", "plan": ""}} {
		if a := m.Write("delegate", fields{"key": root.Str("key"), "metadata": pair}); a.Status != http.StatusBadRequest {
			t.Errorf("%v: %d", pair, a.Status)
		}
	}
	child := m.Must("delegate", fields{"key": root.Str("key"), "metadata": fields{"job": "export", "plan": "basic", "tier": "silver"}})
	for _, pair := range []fields{{"plan": "gold"}, {"job": "import"}} {
		if a := m.Write("delegate", fields{"key": child.Str("key"), "metadata": pair}); a.Status != http.StatusBadRequest {
			t.Errorf("%v, of a grandchild: %d", pair, a.Status)
		}
	}
	grand := m.Must("delegate", fields{"key": child.Str("key"), "metadata": fields{"step": "1"}})
	shows := func(k mount.Answer, want fields) {
		t.Helper()
		if got := m.Must("verify", fields{"key": k.Str("key")}).Data["metadata"]; !reflect.DeepEqual(got, want) {
			t.Errorf("verify shows %v, want %v", got, want)
		}
	}
	shows(root, fields{"env": "live", "plan": "basic", "tier": "silver"})
	shows(child, fields{"env": "live", "plan": "basic", "tier": "silver", "job": "export"})
	shows(grand, fields{"env": "live", "plan": "basic", "tier": "silver", "job": "export", "step": "1"})
	if got := m.Read("keys/" + grand.Str("key_id")).Data["metadata"]; !reflect.DeepEqual(got, fields{"step": "1"}) {
		t.Errorf("a read shows %v of its own", got)
	}
	// At no path is a pair above it replaced, and what is said above later goes before it.
	for _, path := range []string{"keys/", "owners/acme/keys/"} {
		if a := m.Write(path+child.Str("key_id"), fields{"metadata": fields{"plan": "gold"}}); a.Status != http.StatusBadRequest {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
	m.Must("keys/"+root.Str("key_id"), fields{"metadata": fields{"plan": "gold", "job": "none"}})
	m.Must("roles/web", fields{"metadata": fields{"step": "0"}})
	shows(grand, fields{"plan": "gold", "job": "none", "tier": "silver", "step": "0"})
}
