package gate_test

import (
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/trials/gate"
	"vault-plugin-secrets-apikeys/trials/mount"
)

func TestAHoneytokenThatAGateAsksAboutIsFoundOut(t *testing.T) {
	for _, door := range []string{"", "web", "other"} {
		synctest.Test(t, func(t *testing.T) {
			m := mount.New(t)
			m.Must("roles/web", fields{"generate_lease": false})
			k := m.Must("issue/web", nil)
			trap := m.Must("honeytokens/wiki", fields{"role": "web", "disables": []string{k.Str("key_id")}}).Key()
			m.Secrets.Add(trap)
			told := gate.Resolve(m, door, fields{"keys": []string{"nonsense", trap, m.Sibling(k.Key())}})
			for _, r := range told.Results {
				if !reflect.DeepEqual(r, told.Results[0]) || r.Code != "invalid" {
					t.Errorf("at the door of %q it is told %+v", door, told.Results)
				}
			}
			if id := strings.Split(trap, "_")[1]; len(told.Records) != 0 {
				t.Errorf("it is told of %v, %v", id, told.Records)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			hits := m.Read("honeytokens/wiki").Data["hits"]
			if a := m.Read("alerts/honeytoken_used.wiki"); hits != 1.0 || a.Data["count"] != 1.0 || a.Str("severity") != "critical" {
				t.Errorf("at the door of %q it has %v hits, and the alert is %v", door, hits, a.Data)
			}
			if m.Code(k.Key()) != "disabled" {
				t.Error("it does not disable what it was made to")
			}
		})
	}
}

func TestForgedTextsThatAGateAsksAboutRaiseTheirAlertAndCountNoUse(t *testing.T) {
	t.Parallel()
	m := mount.New(t)
	m.Must("roles/web", fields{"generate_lease": false, "quota": 100, "rate_limit": 10})
	k := m.Must("issue/web", nil)
	waits := m.Must("rotate/"+k.Str("key_id"), fields{"activation": "first_use"})
	var texts []string
	for range 20 {
		texts = append(texts, m.Sibling(k.Key()), k.Key(), waits.Key())
	}
	gate.Resolve(m, "", fields{"keys": texts})
	if a := m.Read("alerts/forged_keys"); a.Data["count"] != 20.0 {
		t.Errorf("of 20 forged texts the alert tells %v", a.Data["count"])
	}
	if u := m.Read("usage").Data; u["verifications"] != 0.0 {
		t.Errorf("it counts %v", u)
	}
	if is := m.Read("keys/" + k.Str("key_id")).Data; is["last_used_at"] != "" || is["quota_remaining"] != nil && is["quota_remaining"] != 100.0 || is["version"] != 1.0 {
		t.Errorf("it leaves %v", is)
	}
	if d := m.Must("verify", fields{"key": k.Key(), "cost": 0}).Data; d["quota_remaining"] != 100.0 || d["rate_remaining"] != 10.0 {
		t.Errorf("it spends %v", d)
	}
}
