package gate

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// TestASealedVault seals Vault for a minute beside three gates: one that closes, one that goes on in a grace, and one that
// may not confirm what it holds. At the end it looks for the texts of all keys wherever any of them wrote. No test takes
// longer: it stands in a file of the first by name, so that it begins with the first and the others run beside it.
func TestASealedVault(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Plugin: true, Audit: true})
	e := surface.New(t, s)
	const settings = "max_staleness = \"3s\"\ndecision_log = \"/dev/stderr\"\nstale_grace = "
	strict := beside(t, e, harness.GateOptions{Name: "strict", Config: settings + `"0s"`})
	lenient := beside(t, e, harness.GateOptions{Name: "lenient", Config: settings + `"1h"`})
	blind := beside(t, e, harness.GateOptions{Name: "blind", Config: settings + `"1h"`, Token: lacking(t, e, "gate/confirm")})
	gates := []*harness.Gate{strict, lenient, blind}
	warm, unknown := e.Issue(t, "web", "acme").Text, e.Issue(t, "web", "acme").Text
	limited := e.Minted(t, "issue/web", fields{"owner": "acme", "quota": 320}).Text
	for _, g := range gates {
		g.Ready(t)
		becomes(t, g, 200, warm)
	}
	throughAKill(t, e, strict, warm)
	names(t, blind, e.Mount, "gate/confirm") // what it holds is to be confirmed for the next process
	becomes(t, lenient, 200, limited)
	closes, goesOn := sealedWithout(t, strict, warm), sealedWith(t, lenient, warm)
	s.Seal(t)
	sealed := time.Now()
	ofUnknown := hammer(t, lenient, unknown, 500*time.Millisecond, 1)
	becomes(t, strict, 503, warm)
	wantInGrace(t, lenient, warm, unknown)
	spent := 1 + spentInGrace(t, lenient, limited)
	for _, g := range gates {
		if r := ask(t, g, "x"); r.Status != 401 {
			t.Errorf("what is no key is %d", r.Status)
		}
	}
	time.Sleep(time.Until(sealed.Add(time.Minute)))
	closes(sealed)
	goesOn(sealed, ofUnknown())
	s.Unseal(t)
	unsealed := time.Now()
	e.AwaitPlugin(t)
	for _, g := range gates {
		freshAgain(t, g)
		becomes(t, g, 200, warm)
		becomes(t, g, 200, unknown)
	}
	t.Logf("%v after the unsealing all are fresh", time.Since(unsealed).Round(time.Millisecond))
	// What a gate had borrowed of the process before is lost, and no more.
	if left := surface.Number(t, e.Verify(t, limited, fields{"cost": 0}), "quota_remaining"); left > 320-spent || left < 320-spent-10 {
		t.Errorf("of 320 units %d were spent in the grace, and %d are left", spent, left)
	}
	wantNoText(t, s, gates, warm, unknown, limited)
}

// sealedWithout asks a gate without a grace all the time. It closes when what it knows is as old as it may be, no earlier
// and no later, and stays so.
func sealedWithout(t *testing.T, g *harness.Gate, warm string) (closes func(sealed time.Time)) {
	t.Helper()
	const maxStaleness = 3 * time.Second
	answers, ages := hammer(t, g, warm, 10*time.Millisecond, 1), watchAge(t, g)
	return func(sealed time.Time) {
		t.Helper()
		all := answers()
		until := time.Now()
		earliest, latest := ages()
		good, closed := at(all, until)
		closedProperly(t, all, until)
		if good.After(latest.Add(maxStaleness)) || closed.Before(earliest.Add(maxStaleness)) {
			t.Errorf("it heard everything up to %v..%v; a key is good until %v, and closed from %v on", earliest, latest, good, closed)
		}
		for _, a := range all {
			if a.sent.After(good) && a.Status != http.StatusServiceUnavailable {
				t.Fatalf("once it is closed a key is %d %s, %v", a.Status, a.Raw, a.err)
			}
		}
		t.Logf("the last 200 came %v after the seal, at an age of %v to %v, the first 503 %v later, and nothing else for %v", good.Sub(sealed), good.Sub(latest), good.Sub(earliest), closed.Sub(good), until.Sub(closed))
	}
}

// sealedWith asks a gate with a grace all the time. What it holds is good throughout, and says how old that is; of what
// it has never seen it knows nothing.
func sealedWith(t *testing.T, g *harness.Gate, warm string) (goesOn func(sealed time.Time, ofUnknown []answer)) {
	t.Helper()
	ofWarm := hammer(t, g, warm, 20*time.Millisecond, 1)
	return func(sealed time.Time, ofUnknown []answer) {
		t.Helper()
		oldest, stale := 0, 0
		for _, a := range ofWarm() {
			age, err := strconv.Atoi(a.Header.Get("X-Apikey-Stale"))
			switch {
			case a.Status != http.StatusOK:
				t.Fatalf("a key that it holds is %d %s, %v", a.Status, a.Raw, a.err)
			case err != nil && (stale > 0 || a.sent.After(sealed.Add(4*time.Second))), err == nil && age < oldest:
				t.Fatalf("%v after the seal the age is %q, and was %d", a.sent.Sub(sealed), a.Header.Get("X-Apikey-Stale"), oldest)
			case err == nil:
				oldest, stale = age, stale+1
			}
		}
		if held := int(time.Since(sealed).Seconds()); oldest < held-1 || oldest > held+3 {
			t.Errorf("%d s after the seal the age is %d", held, oldest)
		}
		for _, a := range ofUnknown {
			if a.Status != http.StatusServiceUnavailable || a.sent.After(sealed.Add(4*time.Second)) && a.JSON["error"] != "stale" {
				t.Fatalf("a key that it does not hold is %d %s, %v", a.Status, a.Raw, a.err)
			}
		}
		t.Logf("a key that it holds was good %d times while its age grew to %d s, one that it does not hold was 503 %d times", stale, oldest, len(ofUnknown))
	}
}

// throughAKill kills the plugin beside a gate that is asked all the time, and revokes a key when the next process is there.
func throughAKill(t *testing.T, e surface.Engine, g *harness.Gate, warm string) {
	t.Helper()
	key := e.Issue(t, "web", "acme")
	becomes(t, g, 200, key.Text)
	ofWarm, ofKey := hammer(t, g, warm, 10*time.Millisecond, 1), hammer(t, g, key.Text, 10*time.Millisecond, 1)
	e.KillPlugin(t)
	e.Write(t, "revoke/"+key.ID, nil)
	revoked := time.Now()
	becomes(t, g, 401, key.Text)
	if last := lastGood(ofKey()).Sub(revoked); last > 3*time.Second {
		t.Errorf("after a kill of the plugin a key is good %v after its revocation", last)
	} else {
		t.Logf("after a kill of the plugin the last 200 came %v after a revocation", last.Round(time.Millisecond))
	}
	freshAgain(t, g)
	for _, a := range ofWarm() {
		if a.Status != http.StatusOK {
			t.Fatalf("during a kill of the plugin a warm key is %d %s, %v", a.Status, a.Raw, a.err)
		}
	}
}

// spentInGrace spends what a gate has borrowed of a quota, and answers how much that was. After that it does not know.
func spentInGrace(t *testing.T, g *harness.Gate, key string) (n int) {
	t.Helper()
	for ; n <= 10; n++ {
		r := ask(t, g, key)
		if r.Status == http.StatusServiceUnavailable {
			return n
		}
		if r.Status != http.StatusOK || r.Header.Get("X-Apikey-Stale") == "" {
			t.Errorf("in the grace a limited key is %d, %v", r.Status, r.Header)
		}
	}
	t.Error("in the grace a gate has spent more than a block")
	return n
}

// wantInGrace wants of a gate whose Vault is away that it goes on with what it holds, and only with that.
func wantInGrace(t *testing.T, g *harness.Gate, warm, unknown string) {
	t.Helper()
	says(t, g, "stale: keys that are held are answered in the grace")
	r := ask(t, g, warm)
	if age, err := strconv.Atoi(r.Header.Get("X-Apikey-Stale")); r.Status != 200 || err != nil || age < 3 {
		t.Errorf("in the grace a warm key is %d, %v", r.Status, r.Header)
	}
	if r := ask(t, g, unknown); r.Status != 503 || r.JSON["error"] != "stale" || r.Header.Get("Retry-After") != "1" {
		t.Errorf("in the grace an unknown key is %d %v %s", r.Status, r.Header, r.Raw)
	}
	if r, err := g.Watch("/ready"); err != nil || r.Status != 200 || r.JSON["degraded"] != true || r.JSON["reason"] == "" {
		t.Errorf("in the grace it is %d %s, %v", r.Status, r.Raw, err)
	}
}

// freshAgain waits until a gate answers from fresh knowledge.
func freshAgain(t *testing.T, g *harness.Gate) {
	t.Helper()
	harness.Eventually(t, 20*time.Second, "it is fresh", func() error {
		r, err := g.Watch("/ready")
		if err == nil && (r.Status != 200 || r.JSON["degraded"] != false) {
			err = fmt.Errorf("it is %d %s", r.Status, r.Raw)
		}
		return err
	})
}

// lacking is a token of the gate's policy without one path.
func lacking(t *testing.T, e surface.Engine, path string) string {
	t.Helper()
	policy := policyOf(t, e.Mount)
	without := strings.Replace(policy, `"`+e.Mount+"/"+path+`"`, `"`+e.Mount+`/nothing"`, 1)
	if without == policy {
		t.Fatalf("the policy has no %s", path)
	}
	return e.TokenWith(t, without, nil)
}

// names waits until a gate names a path that it is denied, to those who watch it and in its log.
func names(t *testing.T, g *harness.Gate, mount, path string) {
	t.Helper()
	harness.Eventually(t, 20*time.Second, "it says that it is denied "+path, func() error {
		r, err := g.Watch("/ready")
		if reason, _ := r.JSON["reason"].(string); err == nil && !strings.Contains(reason, path) {
			err = fmt.Errorf("it is %d %s", r.Status, r.Raw)
		}
		return err
	})
	says(t, g, `"path":"`+path+`"`)
}

// wantNoText looks for what keys are made of in all that Vault and gates have written.
func wantNoText(t *testing.T, s *harness.Server, gates []*harness.Gate, keys ...string) {
	t.Helper()
	wrote := map[string]string{"Vault's audit log": s.AuditLog(t), "Vault's log": s.Log()}
	for i, g := range gates {
		wrote[fmt.Sprint("the log of gate ", i)] = g.Log()
		for _, path := range []string{"/ready", "/metrics", "/health"} {
			r, err := g.Watch(path)
			if err != nil || r.Status != http.StatusOK {
				t.Errorf("%s of gate %d is %d, %v", path, i, r.Status, err)
			}
			wrote[fmt.Sprint(path, " of gate ", i)] = string(r.Raw)
		}
		wrote[fmt.Sprint("an answer of gate ", i)] = func() string { r := ask(t, g, keys[0]); return fmt.Sprint(r.Header, string(r.Raw)) }()
	}
	if !strings.Contains(wrote["Vault's audit log"], "gate/resolve/web") || !strings.Contains(wrote["the log of gate 0"], `"code":"valid"`) {
		t.Error("nothing was written where it was looked")
	}
	for where, text := range wrote {
		for _, key := range keys {
			secret := key[len(key)-48:]
			for at := 0; at+12 <= len(secret); at += 4 {
				if strings.Contains(text, secret[at:at+12]) {
					t.Errorf("%s has a part of a key", where)
				}
			}
		}
	}
}
