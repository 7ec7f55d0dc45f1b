package clocks

import (
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// What was seen of versions that wait, that they took effect or that they ended, stays
// whatever a clock that is set back says.
func TestAClockThatIsSetBackLetsNoVersionWaitAgain(t *testing.T) {
	for _, back := range []time.Duration{-time.Second, -time.Hour, -tenYears} {
		synctest.Test(t, func(t *testing.T) {
			m := mount.New(t)
			m.Must("roles/web", map[string]any{"generate_lease": false, "ttl": "10d", "grace_period": 0, "activation": "first_use"})
			pair := func(data map[string]any) (old, next mount.Answer) {
				old = m.Must("issue/web", nil)
				return old, m.Must("rotate/"+old.Str("key_id"), data)
			}
			byTime, byTimeNext := pair(map[string]any{"pending_period": 60})
			lapsed, lapsedNext := pair(map[string]any{"ttl": 60})
			used, usedNext := pair(nil)
			waits, waitsNext := pair(nil)
			m.Code(usedNext.Str("key"))
			time.Sleep(60 * time.Second)
			look := func() {
				t.Helper()
				for _, c := range []struct {
					what      string
					old, next mount.Answer
					codes     [2]string
				}{
					{"by time", byTime, byTimeNext, [2]string{"superseded", "valid"}},
					{"lapsed", lapsed, lapsedNext, [2]string{"valid", "superseded"}},
					{"used", used, usedNext, [2]string{"superseded", "valid"}},
					{"waits", waits, waitsNext, [2]string{"valid", "valid"}},
				} {
					for i, a := range []mount.Answer{c.old, c.next} {
						if code := m.Must("verify", map[string]any{"key": a.Str("key"), "cost": 0}).Str("code"); code != c.codes[i] {
							t.Errorf("%s after %s, %s: version %v is %s", time.Duration(m.Wrong.Load()), back, c.what, a.Data["version"], code)
						}
					}
				}
			}
			look()
			m.Wrong.Store(int64(back))
			for range 12 {
				look()
				m.Pass(time.Minute)
			}
			look()
		})
	}
}

// A clock that was an hour ahead for a while, and believed, has let nothing take
// effect once it is right; but what was used meanwhile is current, and the one before ends
// when it would have by time, at the latest.
func TestAClockThatWasAheadHasLetNoVersionTakeEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Must("roles/web", map[string]any{"generate_lease": false, "ttl": "10d", "grace_period": 0, "activation": "first_use"})
		rotation := map[string]any{"pending_period": "30m"}
		one := m.Must("issue/web", nil)
		oneNext := m.Must("rotate/"+one.Str("key_id"), rotation)
		two := m.Must("issue/web", nil)
		twoNext := m.Must("rotate/"+two.Str("key_id"), rotation)
		code := func(a mount.Answer) string {
			return m.Must("verify", map[string]any{"key": a.Str("key"), "cost": 0}).Str("code")
		}
		m.Wrong.Store(int64(time.Hour))
		m.Pass(7 * time.Minute)
		if a, b := code(one), code(oneNext); a != "superseded" || b != "valid" {
			t.Errorf("by the clock that is ahead the versions are %s and %s", a, b)
		}
		if got := m.Code(twoNext.Str("key")); got != "valid" {
			t.Errorf("its use is %s", got)
		}
		m.Pass(time.Minute)
		m.Wrong.Store(0)
		m.Pass(7 * time.Minute)
		if a, b := code(one), code(oneNext); a != "valid" || b != "valid" {
			t.Errorf("once the clock is right the versions are %s and %s", a, b)
		}
		for a, want := range map[*mount.Answer]float64{&one: 1, &two: 2} {
			if got := m.Read("keys/" + a.Str("key_id")).Data["version"]; got != want {
				t.Errorf("version %v is current, want %v", got, want)
			}
		}
		m.Pass(15 * time.Minute) // beyond the pending period
		for _, a := range []mount.Answer{one, two} {
			if got := code(a); got != "superseded" {
				t.Errorf("after its time the old version is %s", got)
			}
		}
	})
}
