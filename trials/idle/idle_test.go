// Package idle_test tries idle_timeout in a whole mount: whoever is told that a key
// ended because nobody used it is told so for good.
package idle_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
)

// idling is a mount whose keys of role web end when nobody uses them for an hour.
func idling(t *testing.T) *mount.Mount {
	m := mount.New(t)
	m.Must("roles/web", map[string]any{"generate_lease": false, "ttl": "20d", "max_delegation_depth": 1, "max_keys_per_owner": 1})
	timeout(m, "1h")
	return m
}

func timeout(m *mount.Mount, of string) {
	m.T.Helper()
	m.Must("roles/web", map[string]any{"idle_timeout": of})
}

// dies has the process of the mount killed, and another begin on what it left.
func dies(m *mount.Mount) {
	m.T.Helper()
	was := m.Backend
	m.Storage = m.Storage.Clone()
	m.Open()
	m.T.Cleanup(func() { was.Cleanup(m.Ctx) })
}

// doors are where somebody is told that a key has ended, or acts on it.
var doors = map[string]func(m *mount.Mount, text, id string){
	"verify":            func(m *mount.Mount, text, _ string) { m.Code(text) },
	"read":              func(m *mount.Mount, _, id string) { m.Read("keys/" + id) },
	"its owner's read":  func(m *mount.Mount, _, id string) { m.Read("owners/acme/keys/" + id) },
	"list":              func(m *mount.Mount, _, _ string) { m.Do(logical.ListOperation, "keys/", nil) },
	"its owner's list":  func(m *mount.Mount, _, _ string) { m.Do(logical.ListOperation, "owners/acme/keys/", nil) },
	"a refused rotate":  func(m *mount.Mount, text, _ string) { m.Write("rotate", map[string]any{"key": text}) },
	"an operator's":     func(m *mount.Mount, _, id string) { m.Write("rotate/"+id, nil) },
	"a refused revoke":  func(m *mount.Mount, text, _ string) { m.Write("revoke", map[string]any{"key": text}) },
	"a refused update":  func(m *mount.Mount, _, id string) { m.Write("keys/"+id, map[string]any{"name": "n"}) },
	"a refused child":   func(m *mount.Mount, text, _ string) { m.Write("delegate", map[string]any{"key": text}) },
	"another's in turn": func(m *mount.Mount, _, _ string) { m.Must("issue/web", map[string]any{"owner": "acme"}) },
}

func TestAnIdleEndIsForGoodWhereverItIsTold(t *testing.T) {
	for door, knock := range doors {
		for name, then := range map[string]func(m *mount.Mount){
			"at once":                    func(*mount.Mount) {},
			"after a kill":               dies,
			"after trouble":              func(*mount.Mount) {},
			"after trouble, restarted":   func(m *mount.Mount) { m.Restart() },
			"after trouble, and a while": func(m *mount.Mount) { time.Sleep(time.Minute); dies(m) },
		} {
			t.Run(door+", "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					m := idling(t)
					k := m.Must("issue/web", map[string]any{"owner": "acme"})
					time.Sleep(time.Hour)
					if strings.Contains(name, "trouble") {
						m.Storage.Intercept(memory.Before(memory.On("put", "key/"+k.Str("key_id")[:2]+"/"+k.Str("key_id"), memory.ErrStorage)))
					}
					knock(m, k.Str("key"), k.Str("key_id"))
					synctest.Wait()
					m.Storage.Intercept(nil)
					timeout(m, "10h")
					then(m)
					if code := m.Code(k.Str("key")); code != "expired" {
						t.Errorf("it is %s", code)
					}
					if status := m.Read("keys/" + k.Str("key_id")).Str("status"); status != "expired" {
						t.Errorf("a read shows %s", status)
					}
				})
			})
		}
	}
}

// However many end at once, and whether or not storage takes it at first: all are
// written down.
func TestAllIdleEndsAreWrittenDownInTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := idling(t)
		var texts []string
		for n := range 1500 {
			texts = append(texts, m.Must("issue/web", map[string]any{"owner": fmt.Sprint("o", n)}).Str("key"))
		}
		time.Sleep(time.Hour)
		m.Storage.Intercept(memory.Before(memory.On("put", "key/", memory.ErrStorage)))
		for _, text := range texts {
			m.Code(text)
		}
		time.Sleep(time.Second)
		m.Storage.Intercept(nil)
		time.Sleep(time.Minute)
		timeout(m, "10h")
		dies(m)
		for n, text := range texts {
			if code := m.Code(text); code != "expired" {
				t.Fatalf("of 1500, number %d is %s", n, code)
			}
		}
	})
}

// A process that could not leave its mark yet knows all the same what the one before
// may have lost.
func TestWhatACrashMayHaveLostIsKnownBeforeTheFirstFlush(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		unused time.Duration // when the last flush came
		want   string
	}{
		"not idle at the last flush": {59 * time.Minute, "valid"},
		"idle before it":             {61 * time.Minute, "expired"},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := idling(t)
			k, other := m.Must("issue/web", nil), m.Must("issue/web", nil)
			for _, until := range []time.Duration{50 * time.Minute, tc.unused - 50*time.Minute} {
				time.Sleep(until)
				m.Code(other.Str("key"))
			}
			time.Sleep(31 * time.Second)
			flushes := memory.Before(memory.On("put", "usage/", memory.ErrStorage))
			m.Storage.Intercept(flushes)
			time.Sleep(3 * time.Hour)
			was := m.Backend
			m.Storage = m.Storage.Clone()
			m.Storage.Intercept(flushes)
			m.Open()
			if code := m.Code(k.Str("key")); code != tc.want {
				t.Errorf("%s: while nothing can be flushed it is %s", name, code)
			}
			m.Storage.Intercept(nil)
			m.Pass(time.Minute)
			if code := m.Code(k.Str("key")); code != tc.want {
				t.Errorf("%s: once it can it is %s", name, code)
			}
			was.Cleanup(m.Ctx)
		})
	}
}
