package gate_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/trials/gate"
	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
	"vault-plugin-secrets-apikeys/trials/world"
)

type fields = map[string]any

// same asks the mount and what was told about each text, in several ways, and holds the
// verdicts against each other but for what is left of limits. It answers which codes
// there were.
func same(t *testing.T, m *mount.Mount, h *gate.Held, role string, texts map[string]string, codes map[string]bool) {
	t.Helper()
	path := "verify"
	if role != "" {
		path += "/" + role
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		for _, q := range []fields{{}, {"scopes": []string{"read:a"}}, {"client_ip": "10.1.2.3"}} {
			r := verify.Request{Key: apikey.Present(texts[name]), Role: role}
			if scopes, named := q["scopes"].([]string); named {
				r.Scopes, r.ScopesNamed = scopes, true
			}
			if from, named := q["client_ip"].(string); named {
				r.ClientIP = netip.MustParseAddr(from)
			}
			data := fields{"key": texts[name], "cost": 0}
			maps.Copy(data, q)
			got, a := h.Decide(r), m.Write(path, data)
			want := a.Data
			if !a.OK() {
				want = fields{"error": a.Text}
			}
			codes[a.Str("code")] = true
			if got, want := comparable(t, got), comparable(t, want); !reflect.DeepEqual(got, want) {
				t.Errorf("about %s, asked with %v, a gate says\n%v\nand the mount\n%v", name, q, got, want)
			}
		}
	}
}

// comparable is a verdict without what limits leave, and without when what is over ended:
// an end that was seen is written down behind the answer that tells of it, and to a gate
// it came by then, where a clock says that it lies ahead.
func comparable(t *testing.T, verdict fields) fields {
	verdict = mount.ThroughJSON(t, verdict)
	for _, of := range []string{"rate_remaining", "rate_reset_after", "quota_remaining"} {
		delete(verdict, of)
	}
	switch verdict["code"] {
	case "expired":
		delete(verdict, "expires_at")
	case "superseded":
		delete(verdict, "valid_until")
	}
	return verdict
}

// opened is a world of a kind, in a bubble of its own.
func opened(t *testing.T, w *world.World, do func(t *testing.T, m *mount.Mount)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { do(t, w.Open(t)) })
}

func TestAGateIsToldAllThatAVerdictIsMadeOf(t *testing.T) {
	codes := map[string]bool{}
	for _, w := range []*world.World{world.Build(t), world.BuildLimited(t)} {
		texts := slices.Collect(maps.Values(w.Texts))
		opened(t, w, func(t *testing.T, m *mount.Mount) {
			for _, role := range []string{"", "web", "limited", "idle", "none"} {
				same(t, m, gate.Hold(m, role, texts...), role, w.Texts, codes)
			}
		})
		// Time passes at the gate as it does here. A verify is a use, so what was told
		// holds for one look.
		for _, later := range []time.Duration{59 * time.Minute, time.Hour, 25 * time.Hour, 169 * time.Hour, 21 * 24 * time.Hour} {
			opened(t, w, func(t *testing.T, m *mount.Mount) {
				h := gate.Hold(m, "", texts...)
				time.Sleep(later)
				same(t, m, h, "", w.Texts, codes)
				same(t, m, gate.Hold(m, "", texts...), "", w.Texts, codes)
			})
		}
	}
	for _, code := range []string{"valid", "invalid", "revoked", "expired", "superseded", "disabled", "parent_ended", "insufficient_scope"} {
		if !codes[code] {
			t.Errorf("nothing was %s", code)
		}
	}
}

func TestAGateIsToldOfEachChange(t *testing.T) {
	codes := map[string]bool{}
	try := func(w *world.World, trials []world.Trial) {
		texts := slices.Collect(maps.Values(w.Texts))
		for _, tr := range trials {
			opened(t, w, func(t *testing.T, m *mount.Mount) {
				gate.Hold(m, "", texts...)
				if a := tr.Run(m, w); !a.OK() {
					t.Fatalf("%s: %d %s", tr.Name, a.Status, a.Text)
				}
				same(t, m, gate.Hold(m, "", texts...), "", w.Texts, codes)
			})
		}
	}
	try(world.Build(t), world.Changes())
	try(world.BuildLimited(t), world.LimitTrials())
}

func TestAGateIsToldWhatWasSeenAndIsNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Must("roles/web", fields{"generate_lease": false, "ttl": "10d", "grace_period": 60})
		m.Must("roles/idle", fields{"generate_lease": false, "ttl": "10d", "idle_timeout": "2h"})
		texts := map[string]string{"short": m.Must("issue/web", fields{"ttl": 60}).Key(), "idle": m.Must("issue/idle", nil).Key(), "used": m.Must("issue/idle", nil).Key()}
		old := m.Must("issue/web", nil)
		texts["old"], texts["new"] = old.Key(), m.Must("rotate/"+old.Str("key_id"), nil).Key()
		waited := m.Must("issue/web", nil)
		texts["waited for"], texts["waits"] = waited.Key(), m.Must("rotate/"+waited.Str("key_id"), fields{"activation": "first_use", "grace_period": 0}).Key()
		look := func() map[string]bool {
			codes := map[string]bool{}
			same(t, m, gate.Hold(m, "", slices.Collect(maps.Values(texts))...), "", texts, codes)
			return codes
		}
		m.Storage.Intercept(func(_ context.Context, c memory.Call, effect func()) error {
			if c.Changes() {
				return errors.New("nothing can be written")
			}
			effect()
			return nil
		})
		time.Sleep(60 * time.Second)
		look() // what has ended is seen
		if m.Code(texts["waits"]) != "valid" || m.Code(texts["waited for"]) != "superseded" {
			t.Error("the first use of a version did not end the one before")
		}
		m.Wrong.Store(int64(-2 * time.Hour))
		m.Pass(30 * time.Minute)
		if codes := look(); !codes["expired"] || !codes["superseded"] || m.Code(texts["short"]) != "expired" {
			t.Errorf("under a clock that was set back all are %v", codes)
		}
		m.Wrong.Store(0)
		m.Pass(30 * time.Minute)
		m.Code(texts["used"])
		time.Sleep(90 * time.Minute)
		if look(); m.Code(texts["used"]) != "valid" || m.Code(texts["idle"]) != "expired" {
			t.Error("an idle_timeout does not count from the last use")
		}
		m.Storage.Intercept(nil)
		m.Must("roles/idle", fields{"idle_timeout": "100h"})
		if look(); m.Code(texts["idle"]) != "expired" {
			t.Error("a longer idle_timeout revives a key")
		}
	})
}

// canary stands in every field that no gate may see.
const canary = "canary"

func TestNobodyIsToldWhatIsNoGatesBusiness(t *testing.T) {
	t.Parallel()
	m := mount.New(t)
	m.Must("roles/web", fields{"ttl": "1h", "description": canary, "owner_may_widen": "metadata"})
	m.Must("roles/other", fields{"generate_lease": false})
	k := m.Must("issue/web", fields{"owner": "acme"})
	id := k.Str("key_id")
	m.Must("rotate/"+id, nil)
	m.Must("keys/"+id, fields{"disabled": true, "disabled_reason": canary})
	ended := m.Must("issue/web", fields{"owner": "acme"})
	m.Must("revoke/"+ended.Str("key_id"), fields{"reason": canary})
	m.Must("stop/owners/gone", fields{"reason": canary})
	foreign := m.Must("issue/other", fields{"name": "foreign", "owner": "rival", "metadata": fields{"team": "foreign"}})
	ask := fields{"keys": []string{k.Key(), ended.Key(), foreign.Key()}, "key_ids": []string{id, foreign.Str("key_id")}, "roles": []string{"web", "other"}, "owners": []string{"acme", "gone"}}
	for _, role := range []string{"", "/web", "/none"} {
		raw, err := json.Marshal(m.Must("gate/resolve"+role, ask).Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"argon2id", canary, "userpass-ada", "3d2c9a0e-8b4f", "h1:token", "holder", "created_by", "request"} {
			if strings.Contains(string(raw), secret) {
				t.Errorf("at the door of %q it shows %s", role, secret)
			}
		}
		m.Secrets.MustNotAppear(t, "what a gate is told", string(raw))
		if shows := strings.Contains(string(raw), "foreign") || strings.Contains(string(raw), "rival"); shows != (role == "") {
			t.Errorf("at the door of %q it shows the key of another role: %v", role, shows)
		}
	}
	told := gate.Resolve(m, "web", ask)
	if shown, there := told.Records[foreign.Str("key_id")]; !there || shown != nil || told.Roles["other"] != nil || told.Roles["web"] == nil || told.Results[2].Code != "invalid" || told.Results[0].KeyID != id {
		t.Errorf("at the door of web it is told %+v", told)
	}
	if none := gate.Resolve(m, "none", ask); none.Records[id] != nil || none.Results[0].Code != "invalid" || none.Roles["web"] != nil {
		t.Errorf("at the door of a role that is not there it is told %+v", none)
	}
}
