package gate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"

	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/trials/gate"
	"vault-plugin-secrets-apikeys/trials/matrix"
	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
	"vault-plugin-secrets-apikeys/trials/world"
)

// known is what a gate that was told this may have confirmed.
func known(told wire.Told) string {
	var held []wire.Held
	for _, id := range slices.Sorted(maps.Keys(told.Records)) {
		if shown := told.Records[id]; shown != nil {
			held = append(held, wire.Held{ID: id, Fingerprint: shown.Fingerprint})
		}
	}
	return wire.Join(held)
}

func confirm(m *mount.Mount, known string) (answer wire.Confirmed) {
	m.T.Helper()
	raw, err := json.Marshal(m.Must("gate/confirm", fields{"known": known}).Data)
	if err == nil {
		err = json.Unmarshal(raw, &answer)
	}
	if err != nil {
		m.T.Fatal(err)
	}
	return answer
}

func TestAConfirmationTellsWhatChangedAndNothingElse(t *testing.T) {
	for _, in := range []struct {
		world  *world.World
		trials []world.Trial
	}{{world.Build(t), world.Changes()}, {world.BuildLimited(t), world.LimitTrials()}} {
		ids := slices.Compact(slices.Sorted(maps.Values(in.world.IDs)))
		ask := fields{"key_ids": slices.DeleteFunc(ids, func(id string) bool { return id == "" })}
		found := 0
		for _, tr := range in.trials {
			opened(t, in.world, func(t *testing.T, m *mount.Mount) {
				gate.Resolve(m, "", ask)
				synctest.Wait() // what had ended by then is written down
				before := gate.Resolve(m, "", ask)
				if changed := confirm(m, known(before)).Changed; len(changed) != 0 {
					t.Errorf("before %s it tells of %q", tr.Name, changed)
				}
				if a := tr.Run(m, in.world); !a.OK() {
					t.Fatalf("%s: %d %s", tr.Name, a.Status, a.Text)
				}
				synctest.Wait()
				after, want := gate.Resolve(m, "", ask), []string{}
				for id, was := range before.Records {
					is := after.Records[id]
					if was != nil && (is == nil || fmt.Sprint(unused(*is)) != fmt.Sprint(unused(*was))) {
						want = append(want, id)
					}
				}
				slices.Sort(want)
				got := confirm(m, known(before)).Changed
				slices.Sort(got)
				if found += len(want); !slices.Equal(got, want) {
					t.Errorf("after %s it tells of %q, want %q", tr.Name, got, want)
				}
			})
		}
		if found < 3 {
			t.Errorf("only %d records changed", found)
		}
	}
}

// unused is a record without what is no part of its fingerprint.
func unused(w wire.Key) wire.Key {
	w.ActiveAt, w.IdleEnded, w.Expired, w.Fingerprint = 0, false, false, ""
	return w
}

func TestTimeAloneChangesNoFingerprint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Must("roles/web", fields{"generate_lease": false, "ttl": "10d", "grace_period": 60})
		k := m.Must("issue/web", fields{"ttl": "1h"})
		waits := m.Must("issue/web", nil)
		m.Must("rotate/"+waits.Str("key_id"), fields{"activation": "first_use", "pending_period": 600})
		told := gate.Resolve(m, "", fields{"key_ids": []string{k.Str("key_id"), waits.Str("key_id")}})
		time.Sleep(2 * time.Hour)
		if changed := confirm(m, known(told)).Changed; len(changed) != 0 {
			t.Errorf("it tells of %q", changed)
		}
	})
}

func TestWhatIsKnownHasOneForm(t *testing.T) {
	t.Parallel()
	m := mount.New(t)
	m.Must("roles/web", fields{"generate_lease": false})
	k := m.Must("issue/web", nil)
	one := k.Str("key_id") + "AAAAAAAAAAAA"
	for text, want := range map[string]int{
		"": 200, one: 200, strings.Repeat(one, wire.MaxKnown): 200, strings.Repeat(one, wire.MaxKnown+1): 400, one[1:]: 400, k.Key(): 400, "../" + one[3:]: 400,
	} {
		if a := m.Write("gate/confirm", fields{"known": text}); a.Status != want {
			t.Errorf("%.60q is %d %s", text, a.Status, a.Text)
		}
	}
	for _, ask := range []fields{
		{"key_ids": []string{k.Key()}}, {"roles": []string{k.Key()}}, {"owners": []string{k.Key()}}, {"owners": []string{".."}}, {"key_ids": []string{"0"}}, {"key": k.Key()},
		{"keys": slices.Repeat([]string{"x"}, 999), "roles": []string{"web", "none"}},
	} {
		if a := m.Write("gate/resolve", ask); a.Status != http.StatusBadRequest {
			t.Errorf("%.60v is %d", ask, a.Status)
		}
	}
	if told := gate.Resolve(m, "", fields{"keys": slices.Repeat([]string{"x"}, 1000)}); len(told.Results) != 1000 {
		t.Errorf("a thousand texts are %d", len(told.Results))
	}
	if told := gate.Resolve(m, "", nil); told.Now == 0 {
		t.Error("who asks for nothing is told no time")
	}
}

func TestConfirmationsOnStorageThatFails(t *testing.T) {
	w := world.Build(t)
	matrix.Run(t, w, []world.Trial{{Name: "confirm", Run: func(m *mount.Mount, w *world.World) mount.Answer {
		return m.Write("gate/confirm", fields{"known": w.IDs["owned"] + "AAAAAAAAAAAA" + w.IDs["new"] + "AAAAAAAAAAAA"})
	}}})
}

// One name that cannot be told spoils no other, and is never told to be nothing.
func TestWhatCannotBeReadIsNotTold(t *testing.T) {
	w := world.BuildLimited(t)
	names := []string{"child", "awake", "spender", "parent"}
	run := func(fault *memory.Fault) (a mount.Answer, made []memory.Call) {
		opened(t, w, func(t *testing.T, m *mount.Mount) {
			var texts []string
			for _, name := range names {
				texts = append(texts, w.Texts[name])
			}
			m.Storage.Intercept(fault.Around)
			a = m.Write("gate/resolve", fields{"keys": texts, "key_ids": []string{w.IDs["stopped child"], "0000000000000000"}, "roles": []string{"limited", "none"}, "owners": []string{"gone", "none"}})
			m.Storage.Intercept(nil)
			made = fault.Made()
		})
		return a, made
	}
	whole, calls := run(&memory.Fault{Kind: memory.None})
	undecided := 0
	for at := range calls {
		for _, kind := range []memory.Kind{memory.Once, memory.Outage} {
			a, _ := run(&memory.Fault{At: at, Kind: kind})
			if !a.OK() {
				t.Errorf("call %d: it answers %d %s", at, a.Status, a.Text)
				continue
			}
			for i, result := range a.Data["results"].([]any) {
				r := result.(map[string]any)
				if r["error"] == "internal error" && r["http_status"] == 500.0 {
					undecided++
				} else if fmt.Sprint(r) != fmt.Sprint(whole.Data["results"].([]any)[i]) {
					t.Errorf("call %d, %s: %s is told to be %v", at, kind, names[i], r)
				} else if _, told := a.Data["records"].(map[string]any)[w.IDs[names[i]]]; !told {
					t.Errorf("call %d, %s: %s is proven and its record is not told", at, kind, names[i])
				}
			}
			for _, of := range []string{"records", "roles", "owners"} {
				for name, shown := range a.Data[of].(map[string]any) {
					if want := whole.Data[of].(map[string]any)[name]; fmt.Sprint(shown) != fmt.Sprint(want) {
						t.Errorf("call %d, %s: of %s %s it tells %v, want %v", at, kind, of, name, shown, want)
					}
				}
			}
		}
	}
	if undecided < len(calls)/2 {
		t.Errorf("of %d broken calls %d texts heard", len(calls), undecided)
	}
}

func TestOnlyTheNodeThatMayWriteTellsGates(t *testing.T) {
	t.Parallel()
	m := mount.New(t)
	m.Must("roles/web", fields{"generate_lease": false})
	k := m.Must("issue/web", nil)
	time.Sleep(1100 * time.Millisecond) // for what a node remembers of its state
	m.System.Become(consts.ReplicationPerformanceStandby)
	for path, data := range map[string]fields{"gate/resolve": {"keys": []string{k.Key()}}, "gate/resolve/web": nil, "gate/confirm": {"known": ""}} {
		if a := m.Write(path, data); a.OK() || !strings.Contains(a.Text, "readonly") {
			t.Errorf("%s answers %d %s", path, a.Status, a.Text)
		}
	}
	m.System.Become(0)
}
