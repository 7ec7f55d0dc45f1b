package races

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// TestAStopAndWhatItMeets: what was answered before the stop's answer is ended by
// it, and whoever came later got a key that works or no key.
func TestAStopAndWhatItMeets(t *testing.T) {
	for _, stop := range []string{"stop/owners/acme", "stop/roles/web"} {
		m := mount.New(t)
		m.Must("roles/web", map[string]any{"generate_lease": false, "grace_period": "1h", "max_delegation_depth": 3})
		for range rounds / 3 {
			k := m.Must("issue/web", map[string]any{"owner": "acme"})
			c := m.Must("delegate", map[string]any{"key": k.Str("key")})
			var stopped atomic.Bool
			mints := []func() mount.Answer{
				func() mount.Answer { return m.Write("issue/web", map[string]any{"owner": "acme"}) },
				func() mount.Answer { return m.Write("rotate/"+k.Str("key_id"), nil) },
				func() mount.Answer { return m.Write("rotate", map[string]any{"key": c.Str("key")}) },
				func() mount.Answer { return m.Write("delegate", map[string]any{"key": k.Str("key")}) },
				func() mount.Answer { return m.Write("delegate", map[string]any{"key": c.Str("key")}) },
			}
			answers, late := make([]mount.Answer, len(mints)), make([]bool, len(mints))
			work := []func(){func() {
				m.Must(stop, nil)
				stopped.Store(true)
			}}
			for i, mint := range mints {
				work = append(work, func() {
					late[i] = stopped.Load()
					answers[i] = mint()
				})
			}
			together(work...)
			for _, text := range []string{k.Str("key"), c.Str("key")} {
				if code := m.Code(text); code == "valid" {
					t.Fatalf("%s: a key from before it survives", stop)
				}
			}
			for i, a := range answers {
				switch {
				case a.OK() && i == 0:
					if code := m.Code(a.Str("key")); late[i] && code != "valid" {
						t.Fatalf("%s: a key issued after it is %s", stop, code)
					}
				case a.OK():
					if code := m.Code(a.Str("key")); code == "valid" || late[i] {
						t.Fatalf("%s: what descends from a stopped key is %s, asked for after the stop: %t", stop, code, late[i])
					}
				case a.Status != http.StatusConflict || i == 0:
					t.Fatalf("%s met mint %d: %d %s", stop, i, a.Status, a.Text)
				}
			}
			m.Must(stop, nil)
			if a := answers[0]; a.OK() && m.Code(a.Str("key")) == "valid" {
				t.Fatalf("%s: a second one left a key", stop)
			}
		}
	}
}

// spent is how many of these answers are valid; the others are refusals of the
// quota.
func spent(m *mount.Mount, n int, text func(i int) string) int64 {
	var valid atomic.Int64
	work := make([]func(), n)
	for i := range work {
		work[i] = func() {
			switch code := m.Code(text(i)); code {
			case "valid":
				valid.Add(1)
			case "quota_exceeded":
			default:
				m.T.Errorf("a verify is %s", code)
			}
		}
	}
	together(work...)
	return valid.Load()
}

func TestAColdKeysQuotaIsExact(t *testing.T) {
	m := mount.New(t)
	m.Must("roles/web", map[string]any{"generate_lease": false})
	for range 5 {
		text := m.Must("issue/web", map[string]any{"quota": 100}).Str("key")
		m.Restart()
		if n := spent(m, 200, func(int) string { return text }); n != 100 {
			t.Fatalf("%d verifications of a quota of 100", n)
		}
		m.Restart()
		if code := m.Code(text); code != "quota_exceeded" {
			t.Fatalf("after a restart: %s", code)
		}
	}
}

func TestParentAndChildrenShareAQuotaExactly(t *testing.T) {
	m := mount.New(t)
	m.Must("roles/web", map[string]any{"generate_lease": false, "max_delegation_depth": 2})
	for range 5 {
		parent := m.Must("issue/web", map[string]any{"quota": 100}).Str("key")
		child := m.Must("delegate", map[string]any{"key": parent, "quota": 40}).Str("key")
		grandchild := m.Must("delegate", map[string]any{"key": child, "quota": 25}).Str("key")
		sibling := m.Must("delegate", map[string]any{"key": parent}).Str("key")
		texts := []string{parent, child, grandchild, sibling}
		m.Restart()
		var counts [4]atomic.Int64
		var work []func()
		for i := range 200 {
			work = append(work, func() {
				if m.Code(texts[i%4]) == "valid" {
					counts[i%4].Add(1)
				}
			})
		}
		together(work...)
		all := int64(0)
		for i := range counts {
			all += counts[i].Load()
		}
		if below := counts[1].Load() + counts[2].Load(); all != 100 || below > 40 || counts[2].Load() > 25 {
			t.Fatalf("of a quota of 100: %d in all, %d under a child of 40, %d by one of 25", all, below, counts[2].Load())
		}
		for _, text := range texts {
			if code := m.Code(text); code != "quota_exceeded" {
				t.Fatalf("afterwards: %s", code)
			}
		}
	}
}

// TestAnIdleEndAndVerifiesAtItsSecond: whoever is refused as idle is refused for
// good, unless a use that came in time was slower; then nobody is.
func TestAnIdleEndAndVerifiesAtItsSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Must("roles/web", map[string]any{"generate_lease": false, "ttl": "20d", "idle_timeout": "1h", "max_delegation_depth": 1})
		for round := range 60 {
			k := m.Must("issue/web", nil)
			parent := k.Str("key")
			child := m.Must("delegate", map[string]any{"key": parent}).Str("key")
			time.Sleep(time.Hour - time.Duration(round%3)*time.Second/2 - time.Duration(time.Now().Nanosecond()))
			var codes [8]string
			var work []func()
			for i := range codes {
				work = append(work, func() {
					time.Sleep(time.Duration(i%4) * 200 * time.Millisecond)
					codes[i] = m.Code([]string{parent, child}[i%2])
				})
			}
			together(work...)
			synctest.Wait()
			time.Sleep(time.Second)
			ended := m.Code(parent) == "expired"
			for i, code := range codes {
				if ended == (code == "valid") {
					t.Fatalf("round %d: verify %d said %s, and then the key is ended=%t", round, i, code, ended)
				}
			}
			m.Must("roles/web", map[string]any{"idle_timeout": "10h"})
			m.Restart()
			if code := m.Code(parent); ended != (code == "expired") {
				t.Fatalf("round %d: after a longer timeout and a restart %s, ended=%t", round, code, ended)
			}
			m.Must("roles/web", map[string]any{"idle_timeout": "1h"})
		}
	})
}
