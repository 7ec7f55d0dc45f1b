package gate_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// TestADamagedRecordKeepsNoReportFromTheOthers reports uses of a key whose record is damaged
// meanwhile, beside one that is whole: what a gate tells again and again must not be all of
// its role.
func TestADamagedRecordKeepsNoReportFromTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Must("roles/web", fields{"generate_lease": false})
		damaged, whole := m.Must("issue/web", fields{"owner": "acme"}).Str("key_id"), m.Must("issue/web", fields{"owner": "acme"}).Str("key_id")
		time.Sleep(time.Hour)
		path := "key/" + damaged[:2] + "/" + damaged
		was := m.Storage.Holds(path)
		m.Storage.Plant(path, "{")
		m.Backend.InvalidateKey(t.Context(), path)
		a := m.Write("gate/report/web", fields{"gate": "edge-1", "run": "r1", "sequence": 1, "uses": []any{use(damaged, "valid", 3, nil), use(whole, "valid", 5, nil)}})
		if !a.OK() || fmt.Sprint(a.Data["dropped"]) != "1" {
			t.Errorf("the report is %d %s %v", a.Status, a.Text, a.Data)
		}
		if got := counted(m, "usage/keys/"+whole); got != "5 map[valid:5]" {
			t.Errorf("of the other key %s are counted", got)
		}
		m.Storage.Plant(path, was) // or it is found at the end
	})
}
