package gate_test

import (
	"fmt"
	"maps"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// told sends a report of one use.
func told(m *mount.Mount, role string, sequence int, use fields) mount.Answer {
	m.T.Helper()
	return m.Write("gate/report/"+role, fields{"gate": "edge-1", "run": "r1", "sequence": sequence, "uses": []any{use}})
}

// use is one of a key, now.
func use(id, code string, count int, more fields) fields {
	of := fields{"key_id": id, "version": 1, "code": code, "count": count, "at": time.Now().Unix()}
	maps.Copy(of, more)
	return of
}

func counted(m *mount.Mount, path string) string {
	m.T.Helper()
	a := m.Read(path)
	return fmt.Sprint(a.Data["verifications"], " ", a.Data["by_code"])
}

func TestWhatAGateDecidedIsCountedAsIfItWereDecidedHere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Must("roles/web", fields{"generate_lease": false, "max_delegation_depth": 1, "allowed_scopes": "a"})
		parent := m.Must("issue/web", fields{"owner": "acme", "scopes": "a"})
		k := m.Must("delegate", fields{"key": parent.Str("key")})
		id := k.Str("key_id")
		time.Sleep(time.Hour)
		for i, of := range []fields{
			use(id, "valid", 41, fields{"client_ip": "10.1.2.3", "paid": true}),
			use(id, "rate_limited", 7, nil),
			use("", "invalid", 5, fields{"key_id": nil, "version": nil}),
		} {
			if of["key_id"] == nil {
				delete(of, "key_id")
				delete(of, "version")
			}
			if a := told(m, "web", i+1, of); !a.OK() || a.Data["dropped"].(float64) != 0 {
				t.Fatalf("a report is %d %s %v", a.Status, a.Text, a.Data)
			}
		}
		if got := counted(m, "usage/keys/"+id); got != "48 map[rate_limited:7 valid:41]" {
			t.Errorf("of the key %s are counted", got)
		}
		if got := counted(m, "usage/owners/acme"); got != "48 map[rate_limited:7 valid:41]" {
			t.Errorf("of the owner %s are counted", got)
		}
		if got := counted(m, "usage"); got != "53 map[invalid:5 rate_limited:7 valid:41]" {
			t.Errorf("of the mount %s are counted", got)
		}
		if a := m.Read("usage/keys/" + id); a.Str("last_client_ip") != "10.1.2.3" {
			t.Errorf("it was used from %v", a.Data["last_client_ip"])
		}
		for _, used := range []string{id, parent.Str("key_id")} {
			if a := m.Read("keys/" + used); a.Str("last_used_at") != time.Now().UTC().Format(time.RFC3339) {
				t.Errorf("it was used at %v", a.Data["last_used_at"])
			}
		}
	})
}

func TestAReportCountsOnce(t *testing.T) {
	t.Parallel()
	m := mount.New(t)
	m.Must("roles/web", fields{"generate_lease": false})
	id := m.Must("issue/web", nil).Str("key_id")
	for _, sequence := range []int{1, 1, 2, 2, 1, 4, 3} {
		a := told(m, "web", sequence, use(id, "valid", 1, nil))
		if !a.OK() {
			t.Fatal(a.Text)
		}
	}
	if got := counted(m, "usage/keys/"+id); got != "3 map[valid:3]" {
		t.Errorf("counted are %s", got)
	}
	// Thousands of other runs later it is still known, unless they were newer and many.
	for run := range 4097 {
		if a := m.Write("gate/report/web", fields{"gate": "edge-1", "run": fmt.Sprint("x", run), "sequence": 1, "uses": []any{use(id, "expired", 1, nil)}}); !a.OK() {
			t.Fatal(a.Text)
		}
		if run == 4000 {
			told(m, "web", 4, use(id, "valid", 1, nil))
		}
	}
	if got := counted(m, "usage/keys/"+id); got != "4100 map[expired:4097 valid:3]" {
		t.Errorf("counted are %s", got)
	}
}

func TestAReportCannotCountWhatIsNotSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Must("roles/web", fields{"generate_lease": false})
		m.Must("roles/batch", fields{"generate_lease": false})
		id, foreign := m.Must("issue/web", nil).Str("key_id"), m.Must("issue/batch", nil).Str("key_id")
		none := "AAAAAAAAAAAAAAAA"
		time.Sleep(time.Hour)
		for i, of := range []fields{
			use(none, "valid", 1, nil), use(foreign, "valid", 1, nil), use(id, "valid", 1, fields{"version": 2}),
			use(id, "splendid", 1, nil), use(id, "invalid", 1, nil), use(id, "valid", 0, nil), use("../../x", "valid", 1, nil),
			{"code": "valid", "count": 1, "at": 1},
		} {
			if a := told(m, "web", i+1, of); !a.OK() || a.Data["dropped"].(float64) != 1 || a.Data["counted"].(float64) != 0 {
				t.Errorf("%v is %d %s %v", of, a.Status, a.Text, a.Data)
			}
		}
		for _, path := range []string{"usage/keys/" + id, "usage/keys/" + foreign, "usage"} {
			if got := counted(m, path); got != "0 map[]" {
				t.Errorf("%s counts %s", path, got)
			}
		}
		if a := m.Read("usage/keys/" + none); a.Status != http.StatusNotFound {
			t.Errorf("a key that there is not has %d %v", a.Status, a.Data)
		}
		// The largest numbers there are, a thousand years ahead.
		for i := range 3 {
			told(m, "web", 100+i, use(id, "valid", 1<<53, fields{"at": 33_000_000_000}))
		}
		a := m.Read("usage/keys/" + id)
		if n, _ := a.Data["verifications"].(float64); n != 3<<40 || a.Str("last_used_at") != time.Now().UTC().Format(time.RFC3339) {
			t.Errorf("of too many there are %v, at %v", a.Data["verifications"], a.Data["last_used_at"])
		}
		for name, body := range map[string]fields{
			"no run":         {"gate": "edge-1", "sequence": 1, "uses": []any{use(id, "valid", 1, nil)}},
			"no sequence":    {"gate": "edge-1", "run": "r1", "uses": []any{use(id, "valid", 1, nil)}},
			"nothing":        {"gate": "edge-1", "run": "r1", "sequence": 1, "uses": []any{}},
			"a negative":     {"gate": "edge-1", "run": "r1", "sequence": 1, "uses": []any{use(id, "valid", -1, nil)}},
			"a text":         {"gate": "edge-1", "run": "r1", "sequence": 1, "uses": []any{"x"}},
			"something else": {"gate": "edge-1", "run": "r1", "sequence": 1, "uses": []any{use(id, "valid", 1, fields{"owner": "x"})}},
		} {
			if a := m.Write("gate/report/web", body); a.Status != http.StatusBadRequest {
				t.Errorf("%s is %d", name, a.Status)
			}
		}
	})
}

func TestALateReportRevivesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Must("roles/web", fields{"generate_lease": false, "idle_timeout": "2h", "ttl": "20d"})
		k := m.Must("issue/web", nil)
		id, used := k.Str("key_id"), time.Now().Add(119*time.Minute).Unix()
		time.Sleep(121 * time.Minute)
		if code := m.Code(k.Str("key")); code != "expired" {
			t.Fatalf("it is %s", code)
		}
		told(m, "web", 1, use(id, "valid", 3, fields{"at": used, "paid": true}))
		if code := m.Code(k.Str("key")); code != "expired" {
			t.Errorf("after a late report it is %s", code)
		}
		if a := m.Read("keys/" + id); a.Str("last_used_at") != "" || a.Str("status") != "expired" {
			t.Errorf("it is shown as %v, used at %v", a.Data["status"], a.Data["last_used_at"])
		}
		if got := counted(m, "usage/keys/"+id); got != "5 map[expired:2 valid:3]" {
			t.Errorf("counted are %s", got)
		}
		// One that comes in time keeps a key.
		other := m.Must("issue/web", nil)
		time.Sleep(119 * time.Minute)
		told(m, "web", 2, use(other.Str("key_id"), "valid", 1, nil))
		time.Sleep(119 * time.Minute)
		if code := m.Code(other.Str("key")); code != "valid" {
			t.Errorf("after a report in time it is %s", code)
		}
	})
}

func TestTheFirstUseAtAGateIsTheFirstUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Must("roles/web", fields{"generate_lease": false, "activation": "first_use", "grace_period": "0s"})
		k := m.Must("issue/web", nil)
		id, path := k.Str("key_id"), "keys/"+k.Str("key_id")
		next := m.Must("rotate", fields{"key": k.Str("key")})
		told(m, "web", 1, use(id, "valid", 1, fields{"version": 2})) // of a request that cost nothing
		if a := m.Read(path); fmt.Sprint(a.Data["version"]) != "1" {
			t.Errorf("what cost nothing makes it %v", a.Data["version"])
		}
		told(m, "web", 2, use(id, "expired", 1, fields{"version": 2, "paid": true}))
		told(m, "web", 3, use(id, "valid", 1, fields{"version": 2, "paid": true}))
		if old, now := m.Code(k.Str("key")), m.Code(next.Str("key")); old != "superseded" || now != "valid" {
			t.Errorf("the old one is %s, the new one %s", old, now)
		}
		time.Sleep(time.Second)
		m.Restart() // it is written down
		if old := m.Code(k.Str("key")); old != "superseded" {
			t.Errorf("in the next process the old one is %s", old)
		}
	})
}

func TestWhatGatesRefuseIsWatched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Must("roles/web", fields{"generate_lease": false})
		ended, refused := m.Must("issue/web", nil).Str("key_id"), m.Must("issue/web", nil).Str("key_id")
		m.Must("revoke/"+ended, nil)
		told(m, "web", 1, use(ended, "revoked", 3, fields{"client_ip": "10.1.2.3"}))
		told(m, "web", 2, use(refused, "ip_denied", 1000, nil))
		told(m, "web", 3, use(refused, "superseded", 1000, fields{"brownout": true}))
		if a := m.Read("alerts/ended_key_used." + ended); fmt.Sprint(a.Data["count"], " ", a.Data["last_client_ip"]) != "3 10.1.2.3" {
			t.Errorf("of the ended key it is %v", a.Data)
		}
		if a := m.Read("alerts/key_refusals." + refused); fmt.Sprint(a.Data["count"], " ", a.Data["severity"]) != "1000 critical" {
			t.Errorf("of refusals it is %v", a.Data)
		}
		if a := m.Read("alerts/ended_key_used." + refused); a.Status != http.StatusNotFound {
			t.Errorf("of a brownout it is %v", a.Data)
		}
	})
}
