package watch

import (
	"context"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

func keys(t *testing.T) *watched {
	m := mount.New(t)
	m.Must("roles/web", fields{"generate_lease": false, "ttl": "20d", "allowed_scopes": "read:*"})
	k := m.Must("issue/web", fields{"owner": "acme"})
	return &watched{Mount: m, key: k.Key(), id: k.Str("key_id")}
}

func (w *watched) ask(text, from string) string {
	w.T.Helper()
	data := fields{"key": text}
	if from != "" {
		data["client_ip"] = from
	}
	return w.Must("verify", data).Str("code")
}

func TestAnEndedKeyInUseIsCriticalFromElsewhere(t *testing.T) {
	const home = "192.0.2.7"
	for name, tc := range map[string]struct {
		home     string
		from     []string
		severity string
	}{
		"from the same address":     {home, []string{home}, "warning"},
		"from the same network":     {home, []string{"192.0.2.200"}, "warning"},
		"as it is mapped":           {home, []string{"::ffff:192.0.2.9"}, "warning"},
		"from another network":      {home, []string{"192.0.3.7"}, "critical"},
		"from both at once":         {home, []string{"192.0.3.7", home}, "critical"},
		"from home again":           {home, []string{"192.0.3.7", "", home}, "critical"},
		"of a site":                 {"2001:db8:1::1", []string{"2001:db8:1:ffff::1"}, "warning"},
		"of another site":           {"2001:db8:1::1", []string{"2001:db8:2::1"}, "critical"},
		"of another family":         {home, []string{"2001:db8:1::1"}, "critical"},
		"from nowhere that is told": {home, []string{""}, "warning"},
		"where nobody told before":  {"", []string{"192.0.3.7"}, "warning"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := keys(t)
				next := w.Must("rotate/"+w.id, fields{"grace_period": 0})
				w.ask(next.Key(), tc.home)
				for _, from := range tc.from {
					if code := w.ask(w.key, from); code != "superseded" {
						t.Fatal(code)
					}
				}
				settle()
				a := w.alert("ended_key_used." + w.id)
				if a.Str("severity") != tc.severity || a.Data["count"] != float64(len(tc.from)) || a.Str("key_id") != w.id || a.Str("kind") != "ended_key_used" {
					t.Errorf("the alert is %v", a.Data)
				}
				w.Restart()
				if again := w.alert("ended_key_used." + w.id); fmt.Sprint(again.Data) != fmt.Sprint(a.Data) {
					t.Errorf("after a restart it is %v", again.Data)
				}
			})
		})
	}
}

// The address of the last use says nothing where that was of the old version.
func TestAnAddressOfTheOldVersionIsNoHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keys(t)
		next := w.Must("rotate/"+w.id, fields{"grace_period": "1h"})
		w.ask(next.Key(), "192.0.2.1")
		time.Sleep(time.Minute)
		w.ask(w.key, "198.51.100.1") // in its grace
		time.Sleep(time.Hour)
		w.ask(w.key, "198.51.100.1")
		settle()
		if a := w.alert("ended_key_used." + w.id); a.Str("severity") != "warning" {
			t.Errorf("the alert is %v", a.Data)
		}
		w.ask(next.Key(), "192.0.2.1")
		w.ask(w.key, "198.51.100.1")
		settle()
		if a := w.alert("ended_key_used." + w.id); a.Str("severity") != "critical" {
			t.Errorf("the alert is %v", a.Data)
		}
	})
}

func TestABrownoutRaisesNoAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keys(t)
		w.Must("roles/web", fields{"grace_brownout": true})
		w.Must("rotate/"+w.id, fields{"grace_period": "8h"})
		refused := 0
		for range 8 * 60 {
			time.Sleep(time.Minute)
			if w.ask(w.key, "192.0.2.1") == "superseded" && w.now() < 8*60 {
				refused++
			}
			if refused == 3 {
				break
			}
		}
		settle()
		if a := w.alert("ended_key_used." + w.id); refused == 0 || a.OK() {
			t.Errorf("refused %d times, there is %v", refused, a.Data)
		}
	})
}

// now is how many minutes have passed in the bubble.
func (w *watched) now() int {
	return int(time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).Minutes())
}

func (w *watched) refuse(n int) {
	w.T.Helper()
	for range n {
		if a := w.Must("verify", fields{"key": w.key, "scopes": "write", "client_ip": "192.0.2.1"}); a.Str("code") != "insufficient_scope" {
			w.T.Fatal(a.Data)
		}
	}
}

func TestRefusalsOfOneKeyAboveTheRateAreOneAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keys(t)
		name := "key_refusals." + w.id
		for range 10 { // what is below the rate, for hours
			w.refuse(9)
			time.Sleep(time.Hour)
		}
		if a := w.alert(name); a.OK() {
			t.Fatalf("below the rate it is raised: %v", a.Data)
		}
		time.Sleep(2 * time.Hour)
		w.refuse(10)
		if a := w.alert(name); a.OK() {
			t.Fatalf("at the rate it is raised: %v", a.Data)
		}
		w.refuse(1)
		if a := w.alert(name); a.Data["count"] != 11.0 || a.Str("severity") != "warning" {
			t.Errorf("above the rate it is %v", a.Data)
		}
		w.refuse(40)
		if a := w.alert(name); a.Data["count"] != 51.0 || a.Str("severity") != "critical" {
			t.Errorf("far above it is %v", a.Data)
		}
		w.Do(logical.DeleteOperation, "alerts/"+name, nil)
		w.refuse(10)
		if a := w.alert(name); a.OK() {
			t.Errorf("acknowledged, it is raised by the next: %v", a.Data)
		}
		w.Must("config", fields{"argon2_memory_kib": 19456, "argon2_iterations": 2, "alert_warning_per_hour": 2, "alert_critical_per_hour": 3})
		w.refuse(1)
		if a := w.alert(name); a.Str("severity") != "critical" {
			t.Errorf("by another configuration it is %v", a.Data)
		}
		for _, bad := range []fields{{"alert_warning_per_hour": 0}, {"alert_warning_per_hour": 51, "alert_critical_per_hour": 50}, {"alert_critical_per_hour": 1_000_001}} {
			if a := w.Write("config", bad); a.Status != 400 {
				t.Errorf("%v: %d", bad, a.Status)
			}
		}
	})
}

// Whoever sends forged keys, from however many addresses, makes one alert.
func TestAFloodOfForgedKeysIsOneAlertAndNoMemory(t *testing.T) {
	w := keys(t)
	flood := func(n int) {
		for range n {
			at := len(w.key) - 20 - rand.IntN(30)
			forged := w.key[:at] + string("abcdefgh"[rand.IntN(8)]) + w.key[at+1:]
			if forged == w.key {
				continue
			}
			from := netip.AddrFrom4([4]byte{byte(rand.IntN(256)), byte(rand.IntN(256)), byte(rand.IntN(256)), 1})
			m := w.Mount
			_, err := m.Backend.HandleRequest(context.Background(), &logical.Request{Operation: logical.UpdateOperation, Path: "verify", Storage: m.Storage,
				Data: fields{"key": reChecked(forged), "client_ip": from.String()}})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	heap := func() uint64 {
		runtime.GC()
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		return now.HeapAlloc
	}
	flood(2000)
	before := heap()
	flood(20_000)
	if grown := int64(heap()) - int64(before); grown > 1<<20 {
		t.Errorf("the flood takes %d bytes", grown)
	}
	open := w.Do(logical.ListOperation, "alerts/", nil).Data["keys"]
	a := w.alert("forged_keys")
	if fmt.Sprint(open) != "[forged_keys]" || a.Str("severity") != "critical" || a.Data["count"].(float64) < 21_000 || a.Str("key_id") != "" {
		t.Errorf("open are %v, and it is %v", open, a.Data)
	}
}

// A crowd of ended keys is told of once each, and written at a bounded rate.
func TestManyAlertsAreWrittenAtABoundedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keys(t)
		var texts []string
		for range 60 {
			k := w.Must("issue/web", nil)
			w.Must("revoke/"+k.Str("key_id"), nil)
			texts = append(texts, k.Key())
		}
		settle()
		w.Storage.Noted()
		for range 20 {
			for _, text := range texts {
				w.ask(text, "192.0.2.1")
			}
			time.Sleep(100 * time.Millisecond)
		}
		writes := slices.DeleteFunc(w.Storage.Noted("put"), func(call string) bool { return !strings.Contains(call, "alert/") })
		if len(writes) == 0 || len(writes) > 3*16+1 {
			t.Errorf("in two seconds %d alerts were written", len(writes))
		}
		w.Restart()
		open, _ := w.Do(logical.ListOperation, "alerts/", nil).Data["keys"].([]any)
		for _, name := range open {
			if a := w.alert(name.(string)); a.Data["count"] != 20.0 {
				t.Errorf("%s counts %v", name, a.Data["count"])
			}
		}
		if len(open) != 60 {
			t.Errorf("%d are open", len(open))
		}
	})
}

// reChecked is a text with the crc that it should have.
func reChecked(text string) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	body := text[:len(text)-6]
	crc, n := []byte("000000"), crc32.ChecksumIEEE([]byte(body))
	for i := 5; i >= 0; i-- {
		crc[i] = alphabet[n%62]
		n /= 62
	}
	return body + string(crc)
}
