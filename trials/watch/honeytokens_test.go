// Package watch tries what operators are told: that a key which was planted is used, and alerts.
package watch

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
)

type fields = map[string]any

// watched is a mount with a role, and a honeytoken that lies with a live key.
type watched struct {
	*mount.Mount
	trap     string
	key, id  string // of the live key
	identity string // of the key in the honeytoken's text
}

func planted(t *testing.T) *watched {
	m := mount.New(t)
	m.Must("roles/web", fields{"generate_lease": false, "ttl": "20d", "prefix": "acme_live", "max_delegation_depth": 2, "allowed_scopes": "read:*"})
	k := m.Must("issue/web", fields{"owner": "acme"})
	w := &watched{Mount: m, key: k.Key(), id: k.Str("key_id")}
	w.trap = m.Must("honeytokens/wiki", fields{"role": "web", "description": "in the wiki", "disables": []string{w.id}}).Key()
	w.identity = strings.Split(w.trap, "_")[2]
	return w
}

// forged is the honeytoken's text but for one letter, and its crc.
func (w *watched) forged() string {
	at, with := len(w.trap)-20, "x"
	if w.trap[at] == with[0] {
		with = "y"
	}
	return reChecked(w.trap[:at] + with + w.trap[at+1:])
}

// settle lets pass what is promised: a second.
func settle() {
	time.Sleep(time.Second)
	synctest.Wait()
}

func (w *watched) use(n int) {
	w.T.Helper()
	for range n {
		if a := w.Must("verify", fields{"key": w.trap, "client_ip": "192.0.2.7"}); a.Str("code") != "invalid" || len(a.Data) != 3 {
			w.T.Fatalf("it answers %v", a.Data)
		}
	}
}

func (w *watched) alert(name string) mount.Answer {
	w.T.Helper()
	return w.Read("alerts/" + name)
}

func (w *watched) hits() int {
	w.T.Helper()
	n, _ := w.Read("honeytokens/wiki").Data["hits"].(float64)
	return int(n)
}

// kill is the end of the process without a word.
func (w *watched) kill() *watched {
	w.T.Helper()
	after := *w
	after.Mount = mount.On(w.T, w.Storage.Clone())
	after.Secrets.Add(w.trap)
	return &after
}

func TestAHoneytokenLooksLikeAKeyAndIsNone(t *testing.T) {
	w := planted(t)
	if form := w.Read("roles/web").Str("key_pattern"); !strings.Contains(form, "acme_live") || !strings.HasPrefix(w.trap, "acme_live_") || len(w.trap) != len(w.key) {
		t.Errorf("beside %q it is %q", w.key, w.trap)
	}
	for _, path := range []string{"keys/" + w.identity, "owners/acme/keys/" + w.identity, "usage/keys/" + w.identity, "honeytokens/other", "alerts/other"} {
		if a := w.Read(path); a.Status != http.StatusNotFound {
			t.Errorf("%s answers %d", path, a.Status)
		}
	}
	for _, path := range []string{"rotate/", "revoke/", "keys/"} {
		if a := w.Write(path+w.identity, nil); a.Status != http.StatusNotFound || a.Text != "key not found" {
			t.Errorf("%s answers %d %q", path, a.Status, a.Text)
		}
	}
	for _, list := range []string{"keys/", "owners/", "owners/acme/keys/", "roles/"} {
		if said := fmt.Sprint(w.Do(logical.ListOperation, list, nil).Data); strings.Contains(said, w.identity) || strings.Contains(said, "wiki") {
			t.Errorf("%s shows it: %s", list, said)
		}
	}
	w.use(1)
	if used := fmt.Sprint(w.Read("usage").Data); !strings.Contains(used, "invalid:1") || strings.Contains(used, w.identity) {
		t.Errorf("the mount's usage is %s", used)
	}
	a := w.Read("honeytokens/wiki")
	if _, shown := a.Data["key"]; shown || a.Str("role") != "web" || a.Str("description") != "in the wiki" || a.Str("last_client_ip") != "192.0.2.7" || fmt.Sprint(a.Data["disables"]) != "["+w.id+"]" {
		t.Errorf("it reads %v", a.Data)
	}
}

// What a caller can see of a honeytoken is what it sees of a forged key, on each path
// that takes a key.
func TestAHoneytokenIsAnsweredAsAForgedKey(t *testing.T) {
	w := planted(t)
	forged := w.forged()
	for name, send := range requests() {
		trap, other := send(w.Mount, w.trap), send(w.Mount, forged)
		if fmt.Sprintf("%#v", trap) != fmt.Sprintf("%#v", other) {
			t.Errorf("%s answers\n%#v\nand to a forged key\n%#v", name, trap, other)
		}
		if want := map[bool]int{true: http.StatusNotFound, false: trap.Status}[strings.Contains("rotate revoke delegate", name)]; trap.Status != want {
			t.Errorf("%s answers %d", name, trap.Status)
		}
	}
	if got := w.hits(); got != len(requests()) {
		t.Errorf("of %d uses %d were seen", len(requests()), got)
	}
}

// requests are one for each path that takes a key.
func requests() map[string]func(m *mount.Mount, text string) mount.Answer {
	all := make(map[string]func(m *mount.Mount, text string) mount.Answer)
	for _, path := range []string{"verify", "verify/web", "verify/nosuch", "rotate", "revoke", "delegate", "authorize", "authorize/web"} {
		all[path] = func(m *mount.Mount, text string) mount.Answer {
			m.Request = "5c1f3f0e-0f3c-8a54-2b0e-6f1d5a4c9e77"
			return m.Write(path, fields{"key": text})
		}
	}
	for _, path := range []string{"verify/web", "authorize"} {
		all["read "+path] = func(m *mount.Mount, text string) mount.Answer {
			return m.Send(m.Ctx, &logical.Request{Operation: logical.ReadOperation, Path: path, Headers: map[string][]string{"X-Api-Key": {text}}})
		}
	}
	all["a batch"] = func(m *mount.Mount, text string) mount.Answer {
		return m.Write("verify", fields{"batch_input": []any{fields{"key": text}}})
	}
	return all
}

func TestAHoneytokenIsRecognisedWithoutStorageAndFoundAfterAStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := planted(t)
		w.use(1)
		settle()
		w.Storage.Noted()
		for _, path := range []string{"verify", "rotate", "revoke", "delegate"} {
			w.Write(path, fields{"key": w.trap})
		}
		if calls := w.Storage.Noted("get", "list"); len(calls) != 0 {
			t.Errorf("it asked storage: %v", calls)
		}
		w.Restart() // and before it has read anything:
		w.use(1)
		if w.hits() != 6 {
			t.Errorf("of 6 uses %d were seen", w.hits())
		}
	})
}

func TestUsesAreOneAlertWithAnExactCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := planted(t)
		const n = 10_000
		w.Storage.Noted()
		for range 10 {
			w.use(n / 10)
			time.Sleep(300 * time.Millisecond)
		}
		writes := 0
		for _, call := range w.Storage.Noted() {
			if strings.Contains(call, "alert/") || strings.Contains(call, "honeytoken/") {
				writes++
			}
		}
		if writes > 16 {
			t.Errorf("in three seconds %d calls were made for it", writes)
		}
		w.Restart() // in the middle of a second
		w.use(5)
		w.Restart()
		a := w.alert("honeytoken_used.wiki")
		if w.hits() != n+5 || a.Data["count"] != float64(n+5) || a.Str("severity") != "critical" || a.Str("honeytoken") != "wiki" || a.Str("kind") != "honeytoken_used" || a.Str("last_client_ip") != "192.0.2.7" {
			t.Errorf("%d hits, and an alert %v", w.hits(), a.Data)
		}
		if open := fmt.Sprint(w.Do(logical.ListOperation, "alerts/", nil).Data["keys"]); open != "[honeytoken_used.wiki]" {
			t.Errorf("open are %s", open)
		}
		if a := w.Do(logical.DeleteOperation, "alerts/honeytoken_used.wiki", nil); a.Status != http.StatusNoContent {
			t.Fatal(a.Status)
		}
		w.Restart()
		if a := w.alert("honeytoken_used.wiki"); a.Status != http.StatusNotFound || w.hits() != n+5 {
			t.Errorf("acknowledged, it answers %d %v", a.Status, a.Data)
		}
		w.use(1)
		if a := w.alert("honeytoken_used.wiki"); a.Data["count"] != 1.0 || w.hits() != n+6 {
			t.Errorf("raised anew it is %v", a.Data)
		}
	})
}

// What a crash loses is a second.
func TestAUseIsWrittenDownWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := planted(t)
		for i := range 5 {
			w.use(3)
			settle()
			after := w.kill()
			if a := after.alert("honeytoken_used.wiki"); after.hits() != 3*(i+1) || a.Data["count"] != float64(3*(i+1)) {
				t.Errorf("after a crash there were %d hits, and an alert %v", after.hits(), a.Data)
			}
		}
	})
}

func (w *watched) disabled() string {
	w.T.Helper()
	a := w.Read("keys/" + w.id)
	return fmt.Sprint(a.Data["disabled"], " ", a.Str("disabled_reason"))
}

func TestAUseDisablesOnceUntilItIsArmedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := planted(t)
		w.use(2)
		settle()
		const done = "true honeytoken wiki"
		if got := w.disabled(); got != done || w.Code(w.key) != "disabled" {
			t.Fatalf("the key is %s", got)
		}
		if a := w.alert("honeytoken_used.wiki"); fmt.Sprint(a.Data["actions"]) != fmt.Sprintf("[map[key_id:%s result:disabled]]", w.id) {
			t.Errorf("the alert is %v", a.Data)
		}
		// It is the operator's word, which an owner does not lift.
		if a := w.Write("owners/acme/keys/"+w.id, fields{"disabled": false}); a.Status != http.StatusBadRequest {
			t.Errorf("an owner lifts it: %d", a.Status)
		}
		w.Must("keys/"+w.id, fields{"disabled": false})
		w.use(1)
		settle()
		w.Restart()
		settle()
		if got := w.disabled(); got != "false " {
			t.Errorf("not armed, it made the key %s", got)
		}
		w.Must("honeytokens/wiki", fields{"disables": []string{w.id}})
		settle()
		if got := w.disabled(); got != "false " {
			t.Errorf("armed and not used, it made the key %s", got)
		}
		w.use(1)
		settle()
		if got := w.disabled(); got != done {
			t.Errorf("armed again, it made the key %s", got)
		}
	})
}

func TestWhatBecomesOfEachKeyIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := planted(t)
		ids := map[string]string{}
		for _, what := range []string{"disabled", "already_disabled", "ended", "not_found", "unreadable"} {
			ids[what] = w.Must("issue/web", fields{"owner": "acme"}).Str("key_id")
		}
		w.Must("owners/acme/keys/"+ids["disabled"], fields{"disabled": true, "disabled_reason": "an owner's"})
		w.Must("keys/"+ids["already_disabled"], fields{"disabled": true, "disabled_reason": "an operator's"})
		w.Must("revoke/"+ids["ended"], nil)
		named := []string{}
		for _, id := range ids {
			named = append(named, id)
		}
		w.Must("honeytokens/wiki", fields{"disables": named})
		w.Do(logical.DeleteOperation, "keys/"+ids["not_found"], nil)
		w.Faulty = true
		damaged := ids["unreadable"]
		w.Storage.Plant("key/"+damaged[:2]+"/"+damaged, "7")
		w.use(1)
		settle()
		said := fmt.Sprint(w.alert("honeytoken_used.wiki").Data["actions"])
		for what, id := range ids {
			if !strings.Contains(said, "key_id:"+id+" result:"+what+"]") {
				t.Errorf("a key that is to be %s: %s", what, said)
			}
		}
		if a := w.Read("keys/" + ids["already_disabled"]); a.Str("disabled_reason") != "an operator's" {
			t.Errorf("an operator's reason became %q", a.Str("disabled_reason"))
		}
		if a := w.Read("keys/" + ids["disabled"]); a.Str("disabled_reason") != "honeytoken wiki" {
			t.Errorf("an owner's reason stayed %q", a.Str("disabled_reason"))
		}
	})
}

// A process that dies after any of the writes leaves what the next one finishes.
func TestADisablingThatACrashInterruptsIsFinished(t *testing.T) {
	for at := range 8 {
		for _, effect := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				w := planted(t)
				w.Faulty = true
				w.Must("honeytokens/other", fields{"role": "web"})
				synctest.Wait()
				f := &memory.Fault{At: at, Kind: memory.Outage, Effect: effect, Cancel: func() {}}
				w.Storage.Intercept(f.Around)
				w.use(1)
				synctest.Wait()
				after := w.kill()
				after.Faulty = true
				settle()
				if !f.Struck() && at < 6 {
					t.Fatal("nothing was interrupted")
				}
				// Before anything was written, all of a second is lost.
				if hits := after.hits(); hits == 0 {
					if open := after.alert("honeytoken_used.wiki"); open.OK() || after.disabled() != "false " {
						t.Errorf("at %d, %t: no hits, and an alert %v", at, effect, open.Data)
					}
					return
				}
				a := after.alert("honeytoken_used.wiki")
				if fmt.Sprint(a.Data["actions"]) != fmt.Sprintf("[map[key_id:%s result:disabled]]", w.id) || a.Data["count"] != 1.0 || after.disabled() != "true honeytoken wiki" {
					t.Errorf("at %d, %t: the alert is %v, the key %s", at, effect, a.Data, after.disabled())
				}
				after.Must("keys/"+w.id, fields{"disabled": false})
				after.use(1)
				settle()
				if got := after.disabled(); got != "false " {
					t.Errorf("at %d, %t: used again, it made the key %s", at, effect, got)
				}
			})
		}
	}
}

// Storage that is away for a while keeps nothing from being written, nor from being
// answered.
func TestWhatCannotBeWrittenIsWrittenLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := planted(t)
		w.Faulty = true
		w.Code(w.key) // so that it is in memory
		f := &memory.Fault{Kind: memory.Outage, Cancel: func() {}}
		w.Storage.Intercept(f.Around)
		w.use(7)
		time.Sleep(10 * time.Second)
		w.Storage.Intercept(nil)
		settle()
		after := w.kill()
		if a := after.alert("honeytoken_used.wiki"); after.hits() != 7 || a.Data["count"] != 7.0 || after.disabled() != "true honeytoken wiki" {
			t.Errorf("%d hits, an alert %v, the key %s", after.hits(), a.Data, after.disabled())
		}
	})
}

// Whoever may not write passes a use on, and counts nothing.
func TestAStandbyPassesAUseOn(t *testing.T) {
	w := planted(t)
	w.System.Become(consts.ReplicationPerformanceStandby)
	w.Restart()
	for _, path := range []string{"verify", "authorize", "rotate"} {
		_, err := w.Backend.HandleRequest(t.Context(), &logical.Request{Operation: logical.UpdateOperation, Path: path, Data: fields{"key": w.trap}, Storage: w.Storage})
		if err == nil || !strings.Contains(err.Error(), logical.ErrReadOnly.Error()) {
			t.Errorf("%s answers %v", path, err)
		}
	}
	for range 3 { // also where it was planted, or used, elsewhere meanwhile
		w.Backend.InvalidateKey(t.Context(), "honeytoken/wiki")
		_, err := w.Backend.HandleRequest(t.Context(), &logical.Request{Operation: logical.UpdateOperation, Path: "verify", Data: fields{"key": w.trap}, Storage: w.Storage})
		if err == nil || !strings.Contains(err.Error(), logical.ErrReadOnly.Error()) {
			t.Errorf("it answers %v", err)
		}
	}
	forged := w.forged()
	if a := w.Must("verify", fields{"key": forged}); a.Str("code") != "invalid" {
		t.Errorf("a forged key is %v", a.Data)
	}
}

func TestAHoneytokenIsRefusedWhatItCannotBe(t *testing.T) {
	w := planted(t)
	seventeen := []string{}
	for range 17 {
		seventeen = append(seventeen, w.Must("issue/web", nil).Str("key_id"))
	}
	for what, tc := range map[string]struct {
		path   string
		data   fields
		status int
	}{
		"no role":               {"new", nil, 400},
		"an empty role":         {"new", fields{"role": ""}, 400},
		"a role that is none":   {"new", fields{"role": "none"}, 404},
		"another role":          {"wiki", fields{"role": "other"}, 409},
		"the same role":         {"wiki", fields{"role": "web"}, 200},
		"a name with dots":      {"a..b", fields{"role": "web"}, 400},
		"too many to disable":   {"new", fields{"role": "web", "disables": seventeen}, 400},
		"the most to disable":   {"most", fields{"role": "web", "disables": seventeen[:16]}, 200},
		"one twice":             {"wiki", fields{"disables": []string{w.id, w.id}}, 400},
		"no key id":             {"wiki", fields{"disables": "x"}, 400},
		"its own id":            {"wiki", fields{"disables": w.identity}, 400},
		"an unknown id":         {"wiki", fields{"disables": "0000000000000000"}, 400},
		"an unset variable":     {"wiki", fields{"disables": ""}, 400},
		"a key as description":  {"wiki", fields{"description": w.key}, 400},
		"what it does not take": {"wiki", fields{"hits": 0}, 400},
	} {
		if a := w.Write("honeytokens/"+tc.path, tc.data); a.Status != tc.status {
			t.Errorf("%s: %d %s, want %d", what, a.Status, a.Text, tc.status)
		}
	}
}

func TestADeletedHoneytokenIsAnyInvalidKey(t *testing.T) {
	w := planted(t)
	w.use(1)
	for range 2 {
		if a := w.Do(logical.DeleteOperation, "honeytokens/wiki", nil); a.Status != http.StatusNoContent {
			t.Fatal(a.Status, a.Text)
		}
	}
	w.use(1)
	if a := w.alert("honeytoken_used.wiki"); a.Data["count"] != 1.0 {
		t.Errorf("the alert is %v", a.Data)
	}
}

// While a mount reads which honeytokens there are, none goes unseen.
func TestAHoneytokenIsFoundWhileTheyAreRead(t *testing.T) {
	w := planted(t)
	w.Backend.Cleanup(t.Context())
	w.Storage.Intercept(func(_ context.Context, call memory.Call, effect func()) error {
		if strings.HasPrefix(call.Path, "honeytoken/") {
			time.Sleep(50 * time.Millisecond)
		}
		effect()
		return nil
	})
	w.Open()
	w.use(1)
	if w.hits() != 1 {
		t.Errorf("%d uses were seen", w.hits())
	}
}
