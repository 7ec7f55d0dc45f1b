package paths

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// A write answers what a read then shows, and a refused one leaves it as it was.
func TestAWriteAnswersWhatAReadThenShows(t *testing.T) {
	t.Parallel()
	type data = map[string]any
	for path, cases := range map[string]map[string]struct {
		data data
		ok   bool
	}{
		"roles/web": {
			"nothing":                          {data{}, true},
			"a duration in words":              {data{"ttl": "1h", "max_ttl": "2h"}, true},
			"a ttl beyond max_ttl":             {data{"ttl": "3h", "max_ttl": "2h"}, false},
			"a grace beyond the longest":       {data{"grace_period": "169h"}, false},
			"defaults outside what is allowed": {data{"allowed_scopes": "read", "default_scopes": "write"}, false},
			"defaults within what is allowed":  {data{"allowed_scopes": "read:*,write", "default_scopes": []any{"read:x"}}, true},
			"networks":                         {data{"bound_cidrs": "10.0.0.0/8,192.0.2.1"}, true},
			"networks with host bits":          {data{"bound_cidrs": "10.0.0.1/8"}, false},
			"metadata":                         {data{"metadata": data{"tier": "gold"}}, true},
			"a prefix":                         {data{"prefix": "acme_live"}, true},
			"a prefix in capitals":             {data{"prefix": "CANARY"}, false},
			"a template":                       {data{"owner_template": "{{identity.entity.name}}"}, true},
			"no template where there is none":  {data{"owner_template": ""}, true},
			"a template that is text":          {data{"owner_template": "CANARY"}, false},
			"a template that is broken":        {data{"owner_template": "{{identity.CANARY"}, false},
			"a flag":                           {data{"disabled": "true", "require_owner": true}, true},
			"limits":                           {data{"rate_limit": 100.0, "rate_limit_period": "1m", "quota": "1000", "quota_period": "30d"}, true},
			"the largest limits":               {data{"rate_limit": 1e9, "quota": 1e15, "quota_period": "3650d"}, true},
			"a rate in no time":                {data{"rate_limit": 1.0, "rate_limit_period": 0.0}, false},
			"a rate beyond the largest":        {data{"rate_limit": 1e9 + 1}, false},
			"a quota beyond the largest":       {data{"quota": 1e15 + 1}, false},
			"a rate below zero":                {data{"rate_limit": -1.0}, false},
			"an idle timeout":                  {data{"idle_timeout": "12h"}, true},
			"keys per owner and a depth":       {data{"max_keys_per_owner": 1000.0, "max_delegation_depth": 8.0}, true},
			"too many keys per owner":          {data{"max_keys_per_owner": 1001.0}, false},
			"more keys than fit in 32 bits":    {data{"max_keys_per_owner": int64(1)<<32 + 1}, false},
			"too deep a delegation":            {data{"max_delegation_depth": 9.0}, false},
			"a stop":                           {data{"generation": 1.0}, false},
			"a uid":                            {data{"uid": "CANARY"}, false},
		},
		"config": {
			"nothing":                   {data{}, true},
			"a higher cost":             {data{"argon2_memory_kib": 65536, "argon2_iterations": "3", "argon2_parallelism": 4.0}, true},
			"a cost below the floor":    {data{"argon2_memory_kib": 19455, "argon2_iterations": 2}, false},
			"a cost beyond 32 bits":     {data{"argon2_memory_kib": int64(1)<<32 + 19456}, false},
			"lanes beyond 8 bits":       {data{"argon2_memory_kib": 65536, "argon2_parallelism": 257}, false},
			"iterations beyond 32 bits": {data{"argon2_memory_kib": 65536, "argon2_iterations": int64(1)<<32 + 2}, false},
			"a flush once an hour":      {data{"argon2_memory_kib": 65536, "usage_flush_interval": "1h"}, true},
			"a flush once a second":     {data{"argon2_memory_kib": 65536, "usage_flush_interval": 1.0}, true},
			"no flush":                  {data{"argon2_memory_kib": 65536, "usage_flush_interval": 0.0}, false},
			"a flush too rare":          {data{"argon2_memory_kib": 65536, "usage_flush_interval": 3601.0}, false},
			"no cache":                  {data{"argon2_memory_kib": 65536, "verify_cache_size": 0}, false},
			"a cache beyond all memory": {data{"argon2_memory_kib": 65536, "verify_cache_size": int64(1) << 33}, false},
			"the rest":                  {data{"argon2_memory_kib": 65536, "verify_cache_size": 10, "revoked_retention": "0", "allow_key_in_query": true, "default_prefix": "x"}, true},
		},
	} {
		for name, tc := range cases {
			t.Run(path+" with "+name, func(t *testing.T) {
				t.Parallel()
				sv := newServices(t, systemView(time.Hour, 100*time.Hour))
				read := func() map[string]any { return sv.must(t, logical.ReadOperation, path, nil).Data }
				before := read()
				if path == "config" && len(tc.data) == 0 {
					return // the tests' own cost is below the floor
				}
				resp, err := sv.ask(t, logical.UpdateOperation, path, maps.Clone(tc.data), nil)
				if err != nil {
					t.Fatal(err)
				}
				if resp.IsError() == tc.ok {
					t.Fatalf("it answers %v", resp.Data)
				}
				if !tc.ok {
					if says := resp.Error().Error(); strings.Contains(says, "CANARY") {
						t.Errorf("it says %q", says)
					}
					if !reflect.DeepEqual(read(), before) {
						t.Errorf("it became %v", read())
					}
					return
				}
				after := read()
				if !reflect.DeepEqual(resp.Data, after) {
					t.Errorf("it answers %v and reads %v", resp.Data, after)
				}
				for field, value := range before {
					if _, sent := tc.data[field]; !sent && field != "key_pattern" && !reflect.DeepEqual(after[field], value) {
						t.Errorf("%s was not sent and became %v", field, after[field])
					}
				}
			})
		}
	}
}

func TestANumberBeyondItsBoundIsToldItsOwnBound(t *testing.T) {
	t.Parallel()
	sv := newServices(t, systemView(time.Hour, time.Hour))
	for field, most := range map[string]int64{"argon2_memory_kib": 262144, "argon2_iterations": 10, "argon2_parallelism": 4, "verify_cache_size": 10_000_000} {
		for _, sent := range []int64{0, most + 1, 256 + 1, 1<<32 + 1} {
			if 0 < sent && sent <= most {
				continue
			}
			resp, err := sv.ask(t, logical.UpdateOperation, "config", map[string]any{field: sent}, nil)
			want := fmt.Sprintf("%s must be between 1 and %d", field, most)
			if err != nil || !resp.IsError() || resp.Error().Error() != want {
				t.Errorf("%s = %d: %v, %v", field, sent, resp, err)
			}
		}
	}
}

func TestATemplateIsNotTakenAwayByAnUnsetVariable(t *testing.T) {
	t.Parallel()
	sv := newServices(t, systemView(time.Hour, time.Hour))
	sv.must(t, logical.UpdateOperation, "roles/web", map[string]any{"owner_template": "{{identity.entity.name}}"})
	resp, err := sv.ask(t, logical.UpdateOperation, "roles/web", map[string]any{"owner_template": ""}, nil)
	if err != nil || !resp.IsError() {
		t.Errorf("it answers %v, %v", resp, err)
	}
	for name, data := range map[string]map[string]any{"an owner of one's choice": {"owner": "eve"}, "a token without an entity": nil} {
		if resp, err := sv.ask(t, logical.UpdateOperation, "issue/web", data, nil); err != nil || !resp.IsError() {
			t.Errorf("%s answers %v, %v", name, resp, err)
		}
	}
}

func TestALongLeaseIsWrittenWithAWarning(t *testing.T) {
	t.Parallel()
	sv := newServices(t, systemView(time.Hour, time.Hour))
	for name, tc := range map[string]struct {
		data     map[string]any
		warnings int
	}{
		"thirty days, leased":       {map[string]any{"ttl": "30d"}, 0},
		"a second more, leased":     {map[string]any{"ttl": 30*86400 + 1}, 1},
		"a second more, not leased": {map[string]any{"ttl": 30*86400 + 1, "generate_lease": false}, 0},
	} {
		if resp := sv.must(t, logical.CreateOperation, "roles/r", tc.data); len(resp.Warnings) != tc.warnings {
			t.Errorf("%s: %q", name, resp.Warnings)
		}
		sv.must(t, logical.DeleteOperation, "roles/r", nil)
	}
	for _, name := range []string{"roles/none", "roles/..", "roles/a..b"} {
		if resp, err := sv.ask(t, logical.ReadOperation, name, nil, nil); resp != nil || err != nil {
			t.Errorf("%s reads %v, %v", name, resp, err)
		}
		if resp, err := sv.ask(t, logical.DeleteOperation, name, nil, nil); resp != nil || err != nil {
			t.Errorf("%s is deleted with %v, %v", name, resp, err)
		}
	}
}
