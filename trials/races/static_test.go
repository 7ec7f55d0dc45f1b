package races

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/memory"
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

// TestAChangeThatIsAnsweredIsOneOfTheKeyThatStays where the role changes right after a new
// key is stored, which is taken back and made anew: nobody changes the one that goes.
func TestAChangeThatIsAnsweredIsOneOfTheKeyThatStays(t *testing.T) {
	m := raceMount(t)
	var once sync.Once
	changed := make(chan mount.Answer, 1)
	m.Storage.Intercept(func(_ context.Context, c memory.Call, effect func()) error {
		effect()
		if c.Changes() && strings.HasPrefix(c.Path, "key/") {
			once.Do(func() {
				m.Must("roles/web", map[string]any{"rate_limit": 5})
				go func() { changed <- m.Write("static-keys/app", map[string]any{"name": "second"}) }()
				time.Sleep(50 * time.Millisecond) // time enough for who does not wait
			})
		}
		return nil
	})
	m.Must("static-keys/app", map[string]any{"role": "web", "name": "first"})
	if a, got := <-changed, m.Read("static-keys/app").Str("name"); a.OK() && got != "second" {
		t.Errorf("a change was answered, and the key is named %q", got)
	} else if !a.OK() && a.Status != http.StatusConflict {
		t.Errorf("a change answers %d %s", a.Status, a.Text)
	}
}
