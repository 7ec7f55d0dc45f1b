package rotation

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
)

// asked are the ways to ask about a key.
func asked(path string, data map[string]any) func(p *pair) {
	return func(p *pair) {
		with := map[string]any{"key": p.new.Str("key")}
		for name, value := range data {
			with[name] = value
		}
		p.Write(path, with)
	}
}

func inBatch(items ...map[string]any) func(p *pair) {
	return func(p *pair) {
		list := make([]any, len(items))
		for i, item := range items {
			item["key"] = p.new.Str("key")
			list[i] = item
		}
		p.Must("verify", map[string]any{"batch_input": list})
	}
}

func TestWhatIsAUseAndWhatIsNone(t *testing.T) {
	for name, tc := range map[string]struct {
		role map[string]any
		ask  func(p *pair)
		used bool
	}{
		"verify":                        {nil, asked("verify", nil), true},
		"verify for the role":           {nil, asked("verify/web", nil), true},
		"verify briefly":                {nil, asked("verify", map[string]any{"brief": true}), true},
		"verify for more":               {nil, asked("verify", map[string]any{"cost": 7}), true},
		"verify among others":           {nil, inBatch(map[string]any{"cost": 0}, map[string]any{}), true},
		"authorize":                     {nil, asked("authorize", nil), true},
		"authorize for the role":        {nil, asked("authorize/web", nil), true},
		"authorize by a header":         {nil, authorizedByHeader, true},
		"what costs nothing":            {nil, asked("verify", map[string]any{"cost": 0}), false},
		"authorize what costs nothing":  {nil, asked("authorize", map[string]any{"cost": 0}), false},
		"among others of no cost":       {nil, inBatch(map[string]any{"cost": 0}, map[string]any{"scopes": "x"}), false},
		"another role":                  {nil, asked("verify/svc", nil), false},
		"authorize for another role":    {nil, asked("authorize/svc", nil), false},
		"a scope that it lacks":         {nil, asked("verify", map[string]any{"scopes": "x"}), false},
		"no scopes where they must be":  {map[string]any{"require_scopes": true}, asked("verify", nil), false},
		"none by a word":                {map[string]any{"require_scopes": true}, asked("verify", map[string]any{"scopes": "-"}), true},
		"a network outside":             {map[string]any{"bound_cidrs": "10.0.0.0/8"}, asked("verify", map[string]any{"client_ip": "192.0.2.1"}), false},
		"a network inside":              {map[string]any{"bound_cidrs": "10.0.0.0/8"}, asked("verify", map[string]any{"client_ip": "10.1.1.1"}), true},
		"more than the rate allows":     {map[string]any{"rate_limit": 5, "rate_limit_period": "1h"}, asked("verify", map[string]any{"cost": 6}), false},
		"more than the quota allows":    {map[string]any{"quota": 5}, asked("verify", map[string]any{"cost": 6}), false},
		"what its limits allow":         {map[string]any{"quota": 500, "rate_limit": 500}, asked("verify", nil), true},
		"a mistake":                     {nil, asked("verify", map[string]any{"cost": -1}), false},
		"a text that is not quite it":   {nil, func(p *pair) { p.Write("verify", map[string]any{"key": p.Sibling(p.new.Str("key"))}) }, false},
		"a disabled key":                {nil, whileDisabled("keys/"), false},
		"a disabled role":               {nil, whileDisabled("roles/web"), false},
		"a read":                        {nil, func(p *pair) { p.Read("keys/" + p.id) }, false},
		"a refused rotation":            {nil, asked("rotate", map[string]any{"grace_period": "200h"}), false},
		"a delegation beyond its depth": {map[string]any{"max_delegation_depth": 0}, asked("delegate", nil), false},
		"a revocation by a wrong text":  {nil, func(p *pair) { p.Write("revoke", map[string]any{"key": p.Sibling(p.new.Str("key"))}) }, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := rotated(t, tc.role, map[string]any{"grace_period": 0})
			p.Must("roles/svc", nil)
			before := p.Storage.Dump()["key/"+p.id[:2]+"/"+p.id]
			tc.ask(p)
			old := p.Must("verify", map[string]any{"key": p.old.Str("key"), "cost": 0, "scopes": "-", "client_ip": "10.1.1.1"}).Str("code")
			if want := map[bool]string{true: "superseded", false: "valid"}[tc.used]; old != want {
				t.Errorf("%s: then the old version is %s", name, old)
			}
			time.Sleep(time.Second)
			after := p.Storage.Dump()["key/"+p.id[:2]+"/"+p.id]
			if took := strings.Contains(string(after), `"activated_at":9`); took != tc.used || !tc.used && !strings.Contains(name, "disabled") && string(after) != string(before) {
				t.Errorf("%s: a second later its record is\n%s", name, after)
			}
		})
	}
}

func authorizedByHeader(p *pair) {
	p.Send(p.Ctx, &logical.Request{Operation: logical.ReadOperation, Path: "authorize", Headers: map[string][]string{"X-Api-Key": {p.new.Str("key")}}})
}

func whileDisabled(path string) func(p *pair) {
	return func(p *pair) {
		if path == "keys/" {
			path += p.id
		}
		p.Must(path, map[string]any{"disabled": true})
		p.Code(p.new.Str("key"))
		p.Must(path, map[string]any{"disabled": false})
	}
}

// In a batch, too, what comes after the first use comes after it.
func TestWhatFollowsAFirstUseInABatchKnowsOfIt(t *testing.T) {
	p := rotated(t, nil, map[string]any{"grace_period": 0})
	item := func(a mount.Answer) any { return map[string]any{"key": a.Str("key")} }
	a := p.Must("verify", map[string]any{"batch_input": []any{item(p.old), item(p.new), item(p.old), item(p.new)}})
	for i, want := range []string{"valid", "valid", "superseded", "valid"} {
		if got := a.Data["batch_results"].([]any)[i].(map[string]any)["code"]; got != want {
			t.Errorf("item %d is %s, want %s", i, got, want)
		}
	}
}

// node is another node on the same storage.
func TestWhatTakesEffectByTimeIsNotWrittenByRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := rotated(t, nil, map[string]any{"grace_period": "1h", "pending_period": "1h"})
		time.Sleep(time.Hour)
		before := p.Storage.Dump()["key/"+p.id[:2]+"/"+p.id]
		for range 3 {
			p.codes("valid", "valid") // at no cost
			p.Must("verify", map[string]any{"key": p.new.Str("key"), "scopes": "x"})
			time.Sleep(time.Second)
		}
		if after := p.Storage.Dump()["key/"+p.id[:2]+"/"+p.id]; string(after) != string(before) {
			t.Errorf("its record was written:\n%s", after)
		}
	})
}

// Whoever had the record in his hands before it was written still knows of the use.
func TestAnOldVersionThatIsAskedSlowlyIsRefusedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := rotated(t, nil, map[string]any{"grace_period": 0})
		p.Restart() // it reads the record, and has no proof
		release, held := make(chan struct{}), 0
		entry := memory.Call{Method: "get", Path: "role/web"} // which is read after the record
		p.Storage.Intercept(func(_ context.Context, c memory.Call, effect func()) error {
			effect()
			if c == entry && held == 0 {
				held++
				<-release
			}
			return nil
		})
		codes := make(chan string)
		go func() { codes <- p.peek(p.new.Str("key")) }() // holds the record as one that waits
		synctest.Wait()
		if held != 1 {
			t.Fatal("nobody is held")
		}
		p.Storage.Intercept(nil)
		p.Code(p.new.Str("key"))
		time.Sleep(time.Minute)
		close(release)
		<-codes
		p.codes("superseded", "valid")
	})
}

// The log of storage that fails says so once a second, however many first uses wait.
func TestManyFirstUsesThatCannotBeWrittenAreToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := rotated(t, nil, nil)
		p.Faulty = true
		news := []mount.Answer{p.new}
		for range 20 {
			p.id = p.Must("issue/web", nil).Str("key_id")
			news = append(news, p.rotate(nil))
		}
		p.Storage.Intercept(memory.Before(memory.On("put", "key/", errors.New("storage is full"))))
		for _, a := range news {
			p.Code(a.Str("key"))
		}
		synctest.Wait()
		before := strings.Count(p.Log.String(), "written down yet")
		time.Sleep(10 * time.Second)
		if told := strings.Count(p.Log.String(), "written down yet") - before; told == 0 || told > 10 {
			t.Errorf("in ten seconds it was told %d times", told)
		}
		p.Storage.Intercept(nil)
		time.Sleep(2 * time.Second)
		p.Restart()
		for _, a := range news {
			if v := p.Read("keys/" + a.Str("key_id")); v.Data["version"] != 2.0 {
				t.Errorf("version %v is current", v.Data["version"])
			}
		}
	})
}

// A key that has ended ends with all its versions, and no time or use of one that
// waits changes anything of it.
func TestAFirstUseAfterTheKeyEndedIsNone(t *testing.T) {
	for name, end := range map[string]func(p *pair){
		"revoked":    func(p *pair) { p.Must("revoke/"+p.id, nil) },
		"stopped":    func(p *pair) { p.Must("stop/roles/web", nil) },
		"its owner":  func(p *pair) { p.Must("stop/owners/acme", nil) },
		"deleted":    func(p *pair) { p.Do(logical.DeleteOperation, "keys/"+p.id, nil) },
		"lease ends": func(p *pair) { p.EndLease(p.old.Secret) },
	} {
		synctest.Test(t, func(t *testing.T) {
			p := rotated(t, map[string]any{"generate_lease": name == "lease ends"}, map[string]any{"pending_period": "1h"})
			if name == "its owner" {
				p.old = p.Must("issue/web", map[string]any{"owner": "acme"})
				p.id = p.old.Str("key_id")
				p.new = p.rotate(map[string]any{"pending_period": "1h"})
			}
			end(p)
			before := p.Storage.Dump()
			want := "revoked"
			if name == "deleted" {
				want = "invalid"
			}
			p.codes(want, want)
			if got := p.Code(p.new.Str("key")); got != want {
				t.Errorf("%s: its use is %s", name, got)
			}
			time.Sleep(time.Second)
			if after := p.Storage.Dump(); string(after["key/"+p.id[:2]+"/"+p.id]) != string(before["key/"+p.id[:2]+"/"+p.id]) {
				t.Errorf("%s: the record was written", name)
			}
			for _, path := range []string{"rotate/" + p.id, "rotate/" + p.id + "/rollback", "rotate/" + p.id + "/finish"} {
				if a := p.Write(path, nil); a.Status != http.StatusConflict && a.Status != http.StatusNotFound {
					t.Errorf("%s: %s answers %d", name, path, a.Status)
				}
			}
			time.Sleep(time.Hour)
			p.codes(want, want)
		})
	}
}
