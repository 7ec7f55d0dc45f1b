// Package clocks tries a mount whose wall clock is wrong.
package clocks

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/clock"
	"vault-plugin-secrets-apikeys/trials/mount"
)

const tenYears = 10 * 365 * 24 * time.Hour

// clocked is a mount whose wall clock is set, with a key of each kind.
type clocked struct {
	*mount.Mount
	began                                   time.Time
	live, short, old, next, leased, metered mount.Answer
}

// newClocked makes keys that end after ten minutes, or whose grace does, one that
// lives for days, one with a lease and one with a quota of three in an hour.
func newClocked(t *testing.T) *clocked {
	c := &clocked{Mount: mount.New(t)}
	c.Must("roles/web", map[string]any{"generate_lease": false, "ttl": "20d", "grace_period": "10m"})
	c.Must("roles/svc", map[string]any{"ttl": "1h"})
	c.began = time.Now()
	c.live, c.short = c.Must("issue/web", nil), c.Must("issue/web", map[string]any{"ttl": "10m"})
	c.old = c.Must("issue/web", nil)
	c.next = c.Must("rotate/"+c.old.Str("key_id"), nil)
	c.leased = c.Must("issue/svc", nil)
	c.leased.Secret.IssueTime = time.Now()
	c.metered = c.Must("issue/web", map[string]any{"quota": 3, "quota_period": "1h"})
	for range 3 {
		c.Code(c.metered.Str("key"))
	}
	return c
}

// good is by how much the mount's time may differ from what is right: a wrong
// second is followed.
const good = 2 * time.Second

func (c *clocked) at(d time.Duration) bool {
	passed := time.Since(c.began)
	return passed > d-good && passed < d+good
}

func (c *clocked) want(what string, a mount.Answer, code string) {
	c.T.Helper()
	if got := c.Code(a.Str("key")); got != code {
		c.T.Errorf("after %s, %s: %s is %s, want %s", time.Since(c.began), time.Duration(c.Wrong.Load()), what, got, code)
	}
}

// verify holds every key to what it is by the time that has truly passed.
func (c *clocked) verify() {
	c.T.Helper()
	passed := time.Since(c.began)
	c.want("a live key", c.live, "valid")
	c.want("the next version", c.next, "valid")
	if !c.at(10 * time.Minute) {
		code, grace := "valid", "valid"
		if passed > 10*time.Minute {
			code, grace = "expired", "superseded"
		}
		c.want("a key of ten minutes", c.short, code)
		c.want("a version in its grace", c.old, grace)
	}
	if passed%time.Hour > good && passed%time.Hour < time.Hour-good {
		c.want("a key whose quota is spent", c.metered, "quota_exceeded")
	}
}

// issueAndRotate holds what is made under this clock to the time that is right.
func (c *clocked) issueAndRotate() {
	c.T.Helper()
	made := c.Must("issue/web", map[string]any{"ttl": 4})
	rotated := c.Must("issue/web", nil)
	c.Must("rotate/"+rotated.Str("key_id"), map[string]any{"grace_period": 4})
	leased := c.Must("issue/svc", nil)
	if ttl := leased.Secret.TTL; ttl < time.Hour || ttl > time.Hour+time.Second {
		c.T.Errorf("under %s a lease of an hour has %s", time.Duration(c.Wrong.Load()), ttl)
	}
	for _, a := range []mount.Answer{made, leased} {
		created, err := time.Parse(time.RFC3339, a.Str("created_at"))
		if off := time.Since(created); err != nil || off.Abs() > good {
			c.T.Errorf("under %s a key is dated wrong by %s, %v", time.Duration(c.Wrong.Load()), off, err)
		}
	}
	c.want("a new key", made, "valid")
	c.want("a new grace", rotated, "valid")
	c.Pass(7 * time.Second) // what a second may be off, and the wait for it
	c.want("a key of four seconds", made, "expired")
	c.want("a grace of four seconds", rotated, "superseded")
}

// renew holds a renewal to the time that is right.
func (c *clocked) renew() {
	c.T.Helper()
	a := c.Mount.Renew(c.leased.Secret, 0)
	if !a.OK() {
		c.T.Errorf("under %s: %s", time.Duration(c.Wrong.Load()), a.Text)
		return
	}
	end, err := time.Parse(time.RFC3339, c.Read("keys/"+c.leased.Str("key_id")).Str("expires_at"))
	if off := time.Until(end) - time.Hour; err != nil || off.Abs() > good {
		c.T.Errorf("under %s a renewed key ends wrong by %s, %v", time.Duration(c.Wrong.Load()), off, err)
	}
	if ttl := a.Secret.TTL; ttl.Round(time.Second) != time.Hour {
		c.T.Errorf("under %s a lease was renewed for %s", time.Duration(c.Wrong.Load()), ttl)
	}
}

// tidies runs tidy and wants it to remove nothing that lives, and nothing at all
// in doubt.
func (c *clocked) tidies(doubt bool) {
	c.T.Helper()
	state := c.Tidy()
	status := c.Read("tidy-status")
	if removed := status.Data["keys_removed"]; fmt.Sprint(removed) != "0" {
		c.T.Errorf("under %s tidy removed %v", time.Duration(c.Wrong.Load()), removed)
	}
	if (state == "failed") != doubt || strings.Contains(status.Str("error"), "clock") != doubt {
		c.T.Errorf("under %s tidy is %s: %s", time.Duration(c.Wrong.Load()), state, status.Str("error"))
	}
}

// TestAWrongClockChangesNothing is the table of steps and operations: there and
// back, twice, for as long as a wrong clock is not believed.
func TestAWrongClockChangesNothing(t *testing.T) {
	for _, step := range []time.Duration{time.Second, -time.Second, time.Hour, -time.Hour, tenYears, -tenYears} {
		for what, do := range map[string]func(*clocked){
			"verify, quota window": (*clocked).verify,
			"issue, rotate":        (*clocked).issueAndRotate,
			"renew":                (*clocked).renew,
			"tidy":                 func(c *clocked) { c.tidies(c.Wrong.Load() != 0 && step.Abs() > clock.Tolerance) },
		} {
			t.Run(fmt.Sprintf("%s, %s", step, what), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newClocked(t)
					for range 2 {
						c.Wrong.Store(int64(step))
						c.Code(c.live.Str("key"))
						do(c)
						c.Pass(4 * time.Minute)
						do(c)
						c.Wrong.Store(0)
						do(c)
						c.Pass(4 * time.Minute)
						do(c)
					}
					c.Pass(55 * time.Minute) // the quota's next window has begun
					c.want("a key whose quota is new", c.metered, "valid")
				})
			})
		}
	}
}

// TestAWrongClockThatIsBelievedHasChangedNothingOnceItIsRight is what an hour
// under a wrong clock leaves behind, tidy's own runs included.
func TestAWrongClockThatIsBelievedHasChangedNothingOnceItIsRight(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour, tenYears, -tenYears} {
		t.Run(step.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClocked(t)
				c.Must("roles/web", map[string]any{"idle_timeout": "7d"})
				c.Pass(15 * time.Minute)
				c.verify()
				for range 2 {
					c.Wrong.Store(int64(step))
					c.Pass(2 * time.Hour)
					if step > 0 {
						c.want("an hour's key, by a clock that is ahead", c.leased, "expired")
					}
					c.Code(c.live.Str("key"))
					c.want("a key of ten minutes", c.short, "expired")
					made, brief := c.Must("issue/web", nil), c.Must("issue/web", map[string]any{"ttl": 2})
					rotated := c.Must("issue/web", nil)
					c.Must("rotate/"+rotated.Str("key_id"), map[string]any{"grace_period": 2})
					c.Pass(time.Minute)
					c.want("a key of two seconds", brief, "expired")
					c.want("a grace of two seconds", rotated, "superseded")
					c.Wrong.Store(0)
					c.Code(c.live.Str("key"))
					time.Sleep(clock.Patience) // and the clock is believed before tidy runs
					c.want("a key of two seconds", brief, "expired")
					if step > 0 { // else all that was made meanwhile has ended long ago
						c.want("a grace of two seconds", rotated, "superseded")
					}
					c.Pass(10 * time.Minute)
					c.want("a live key", c.live, "valid")
					c.want("the next version", c.next, "valid")
					c.want("a key of ten minutes", c.short, "expired")
					c.want("a version whose grace was over", c.old, "superseded")
					c.want("a key of two seconds", brief, "expired")
					if step > 0 {
						c.want("a key that was made meanwhile", made, "valid")
						created, _ := time.Parse(time.RFC3339, c.Read("keys/"+made.Str("key_id")).Str("created_at"))
						if ago := time.Since(created); ago.Round(time.Minute) != 16*time.Minute {
							t.Errorf("a key made 16 minutes ago is dated %s ago", ago)
						}
					}
				}
				if used := c.Read("keys/" + c.live.Str("key_id")).Str("last_used_at"); used > time.Now().UTC().Format(time.RFC3339) {
					t.Errorf("a key was last used at %s, at %s", used, time.Now())
				}
				for _, a := range []mount.Answer{c.live, c.short, c.old, c.leased, c.metered} {
					if got := c.Read("keys/" + a.Str("key_id")); !got.OK() {
						t.Errorf("a key was removed: %d", got.Status)
					}
				}
			})
		})
	}
}
