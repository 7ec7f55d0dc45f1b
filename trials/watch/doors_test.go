package watch

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A key that has ended is in use also where it is presented to be rotated, to be
// revoked, or to delegate.
func TestAnEndedKeyAtItsHoldersDoorsIsInUse(t *testing.T) {
	const grace = "1h"
	revoked := func(w *watched) { w.Must("revoke/"+w.id, nil) }
	rotated := func(w *watched) { w.Must("rotate/"+w.id, fields{"grace_period": grace}) }
	over := func(w *watched) { rotated(w); time.Sleep(time.Hour) }
	expired := func(w *watched) {
		k := w.Must("issue/web", fields{"ttl": "1h"})
		w.key, w.id = k.Key(), k.Str("key_id")
		time.Sleep(time.Hour)
	}
	for name, tc := range map[string]struct {
		ends   func(w *watched)
		at     []string
		status int
		alert  bool
	}{
		"a revoked key": {revoked, []string{"rotate", "delegate"}, http.StatusConflict, true},
		"a stopped key": {func(w *watched) { w.Must("stop/owners/acme", nil) }, []string{"rotate", "delegate"}, http.StatusConflict, true},
		"a key that was revoked after its version was superseded": {func(w *watched) { rotated(w); revoked(w) }, []string{"rotate", "delegate"}, http.StatusConflict, true},
		"a version whose grace is over":                           {over, []string{"rotate", "delegate", "revoke"}, http.StatusConflict, true},
		"a version in its grace":                                  {rotated, []string{"rotate", "delegate"}, http.StatusConflict, false},
		"an expired key":                                          {expired, []string{"rotate", "delegate", "revoke"}, http.StatusConflict, false},
		"a disabled key":                                          {func(w *watched) { w.Must("keys/"+w.id, fields{"disabled": true}) }, []string{"rotate", "delegate"}, http.StatusConflict, false},
		// Whoever ends it again wants what there is, and learns that it is so.
		"a revoked key, revoked again":              {revoked, []string{"revoke"}, http.StatusOK, false},
		"a revoked key, by an old version, again":   {func(w *watched) { over(w); revoked(w) }, []string{"revoke"}, http.StatusOK, false},
		"a key whose parameters are wrong, revoked": {revoked, []string{"rotate"}, http.StatusBadRequest, false},
	} {
		for _, at := range tc.at {
			t.Run(name+" at "+at, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := keys(t)
					w.Must("roles/web", fields{"max_delegation_depth": 1})
					tc.ends(w)
					data := fields{"key": w.key}
					if tc.status == http.StatusBadRequest {
						data["grace_period"] = "-1s"
					}
					for range 2 {
						if a := w.Write(at, data); a.Status != tc.status {
							t.Fatalf("it answers %d %s", a.Status, a.Text)
						}
					}
					settle()
					a := w.alert("ended_key_used." + w.id)
					if a.OK() != tc.alert || tc.alert && (a.Data["count"] != 2.0 || a.Str("severity") != "warning" || a.Str("last_client_ip") != "") {
						t.Errorf("the alert is %v", a.Data)
					}
				})
			})
		}
	}
}

// A request that Vault runs again is the same use of a key that was good for it.
func TestARotationThatRunsAgainIsNoUseOfAnEndedKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keys(t)
		w.Request = "5c1f3f0e-0f3c-8a54-2b0e-6f1d5a4c9e77"
		for range 2 {
			w.Must("rotate", fields{"key": w.key, "grace_period": 0})
		}
		settle()
		if a := w.alert("ended_key_used." + w.id); a.OK() {
			t.Errorf("the alert is %v", a.Data)
		}
	})
}

// What verify has found out of an alert no door makes less of.
func TestADoorLeavesAnAlertAsSevereAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keys(t)
		next := w.Must("rotate/"+w.id, fields{"grace_period": 0})
		w.ask(next.Key(), "192.0.2.7")
		w.ask(w.key, "198.51.100.1")
		settle()
		w.Write("rotate", fields{"key": w.key})
		settle()
		a := w.alert("ended_key_used." + w.id)
		if a.Data["count"] != 2.0 || a.Str("severity") != "critical" || a.Str("last_client_ip") != "198.51.100.1" {
			t.Errorf("the alert is %v", a.Data)
		}
	})
}
