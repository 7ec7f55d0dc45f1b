package races

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// TestANameNeverHasTwoKeys writes one name by many at the same time, beside what ends
// its key, changes its role, and sweeps.
func TestANameNeverHasTwoKeys(t *testing.T) {
	m := raceMount(t)
	beside := []func(){
		func() {},
		func() { m.Do(logical.DeleteOperation, "static-keys/app", nil) },
		func() { m.Must("stop/owners/acme", nil) },
		func() { m.Must("roles/web", map[string]any{"rate_limit": 7}) },
		func() { m.Tidy() },
		func() {
			if k := m.Read("static-keys/app"); k.OK() {
				m.Write("revoke/"+k.Str("key_id"), nil)
			}
		},
	}
	for round := range 120 {
		answers := make([]mount.Answer, 5)
		work := []func(){beside[round%len(beside)]}
		for i := range answers {
			work = append(work, func() {
				answers[i] = m.Write("static-keys/app", map[string]any{"role": "web", "owner": "acme", "name": fmt.Sprint(i)})
			})
		}
		together(work...)
		var valid int
		for _, a := range answers {
			switch a.Status {
			case http.StatusOK:
				if a.Str("key") != "" && m.Code(a.Str("key")) == "valid" {
					valid++
					if id := m.Read("static-keys/app").Str("key_id"); id != a.Str("key_id") {
						t.Errorf("beside %d: the name leads to %q, and %s lives", round%len(beside), id, a.Str("key_id"))
					}
				}
			case http.StatusConflict:
			default:
				t.Errorf("a write answers %d %s", a.Status, a.Text)
			}
		}
		if alone := round%len(beside) == 0; valid > 1 || alone && valid != 1 {
			t.Errorf("beside %d: %d keys live under one name", round%len(beside), valid)
		}
		m.Do(logical.DeleteOperation, "static-keys/app", nil)
	}
}

// TestAChangeThatIsAnsweredIsOneOfTheKeyThatStays beside changes of the role, which have
// a new key made anew: nobody changes one that is taken back.
func TestAChangeThatIsAnsweredIsOneOfTheKeyThatStays(t *testing.T) {
	m := raceMount(t)
	for round := range 100 {
		var minted atomic.Bool
		var changed string
		together(
			func() {
				m.Write("static-keys/app", map[string]any{"role": "web", "name": "first"})
				minted.Store(true)
			},
			func() {
				for n := 0; !minted.Load(); n++ {
					m.Must("roles/web", map[string]any{"rate_limit": 5 + n%2})
				}
			},
			func() {
				for changed == "" {
					if m.Read("static-keys/app").OK() {
						if a := m.Write("static-keys/app", map[string]any{"name": "second"}); a.OK() {
							changed = a.Str("name")
						} else {
							changed = "refused"
						}
					} else if minted.Load() && !m.Read("static-keys/app").OK() {
						changed = "nothing"
					}
				}
			},
		)
		if got := m.Read("static-keys/app").Str("name"); changed == "second" && got != "second" {
			t.Fatalf("round %d: a change was answered, and the key is named %q", round, got)
		}
		m.Do(logical.DeleteOperation, "static-keys/app", nil)
	}
}
