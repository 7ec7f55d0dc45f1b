package limits

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// passes is how many verifications are valid until one is not.
func passes(m *mount.Mount, text string) (n int) {
	for m.Code(text) == "valid" {
		n++
	}
	return n
}

// TestSpentUnitsStaySpentThroughChangesOfLimits: the limits are now the key's own
// and now its role's, and nothing that is written brings back a unit.
func TestSpentUnitsStaySpentThroughChangesOfLimits(t *testing.T) {
	type write = map[string]any
	for name, steps := range map[string][]struct {
		role, key write
		passes    int
	}{
		"a rate is raised":                 {{key: write{"rate_limit": 1000, "rate_limit_period": "1d"}, passes: 1000}, {key: write{"rate_limit": 2000}, passes: 1000}},
		"a rate is lowered":                {{key: write{"rate_limit": 50, "rate_limit_period": "1h"}, passes: 50}, {key: write{"rate_limit": 20}}},
		"the role's rate is lower":         {{key: write{"rate_limit": 50, "rate_limit_period": "1h"}, passes: 50}, {role: write{"rate_limit": 20, "rate_limit_period": "1h"}}, {role: write{"rate_limit": 0}}},
		"a quota is raised":                {{key: write{"quota": 100}, passes: 100}, {key: write{"quota": 120}, passes: 20}},
		"for life, by the hour and back":   {{key: write{"quota": 10}, passes: 10}, {key: write{"quota_period": "1h"}}, {key: write{"quota_period": 0}}, {key: write{"quota": 12}, passes: 2}},
		"the role's quota has windows":     {{key: write{"quota": 10}, passes: 10}, {role: write{"quota": 37, "quota_period": "1h"}, passes: 27}, {role: write{"quota": 0}}},
		"a quota is off for a while":       {{key: write{"quota": 10}, passes: 10}, {key: write{"quota": 0}, passes: -1}, {key: write{"quota": 11}, passes: 1}},
		"a rate and a quota take turns":    {{key: write{"rate_limit": 5, "rate_limit_period": "1d"}, passes: 5}, {key: write{"rate_limit": 0, "quota": 7}, passes: 7}, {key: write{"rate_limit": 5}}, {key: write{"quota": 8, "rate_limit": 0}, passes: 1}},
		"the role's limit comes and goes":  {{role: write{"quota": 10}, passes: 10}, {role: write{"quota": 0}, passes: -1}, {role: write{"quota": 10}}, {role: write{"quota": 64, "quota_period": "30d"}, passes: 54}},
		"a window that is longer than one": {{key: write{"quota": 5, "quota_period": "1h"}, passes: 5}, {key: write{"quota": 20, "quota_period": "30d"}, passes: 15}, {key: write{"quota": 5, "quota_period": "1h"}}},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", restarts: ", restart), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := mount.New(t)
					m.Must("roles/web", write{"generate_lease": false, "ttl": "20d"})
					k := m.Must("issue/web", nil)
					for i, s := range steps {
						if s.role != nil {
							m.Must("roles/web", s.role)
						}
						if s.key != nil {
							m.Must("keys/"+k.Str("key_id"), s.key)
						}
						if s.passes < 0 {
							m.Code(k.Str("key"))
							continue
						}
						if n := passes(m, k.Str("key")); n != s.passes {
							t.Fatalf("step %d lets %d pass", i, n)
						}
						_, rated := s.key["rate_limit"]
						_, ratedByRole := s.role["rate_limit"]
						if restart && !rated && !ratedByRole { // a rate is kept in memory
							time.Sleep(time.Second)
							m.Restart()
						}
					}
				})
			})
		}
	}
}
