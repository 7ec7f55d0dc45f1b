package limits

import (
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// changed are the paths of what differs.
func changed(before, after map[string]string) (paths []string) {
	for path, value := range after {
		if before[path] != value {
			paths = append(paths, path)
		}
	}
	for path := range before {
		if _, left := after[path]; !left {
			paths = append(paths, path)
		}
	}
	return paths
}

// statusesOf counts what a list of an owner's keys shows.
func (e engine) statusesOf(t *testing.T, owner string) map[string]int {
	t.Helper()
	count, after := map[string]int{}, ""
	for {
		r := e.API(t, "GET", e.Mount+"/owners/"+owner+"/keys?list=true&limit=1000&after="+after, nil)
		if r.Status == 404 {
			return count
		}
		info, _ := r.Data()["key_info"].(map[string]any)
		for id, line := range info {
			status, _ := line.(map[string]any)["status"].(string)
			count[status]++
			after = max(after, id)
		}
	}
}

// TestAStopEndsAllKeysOfAnOwnerWithOneWrite has a server of its own, whose storage nobody else changes.
func TestAStopEndsAllKeysOfAnOwnerWithOneWrite(t *testing.T) {
	t.Parallel()
	e := mountedOn(t, harness.Start(t, harness.Options{Plugin: true}))
	e.children(t, nil)
	const keys = 5000
	issued := make([]key, keys)
	began := time.Now()
	together(keys, func(i int) {
		if i%10 == 9 {
			return
		}
		issued[i] = e.issue(t, fields{"owner": "acme"})
	})
	together(keys/10, func(i int) {
		at := i*10 + 9
		issued[at] = e.delegate(t, issued[at-1], nil)
	})
	t.Logf("%d keys took %s", keys, time.Since(began))
	other := e.issue(t, fields{"owner": "other"})
	disabled := e.issue(t, fields{"owner": "acme"})
	e.change(t, disabled, fields{"disabled": true})

	before := e.Stored(t)
	if n := e.statusesOf(t, "acme"); n["active"] != keys || n["disabled"] != 1 {
		t.Errorf("before the stop the keys are %v", n)
	}
	began = time.Now()
	stop := e.Write(t, "stop/owners/acme", fields{"reason": "leaked"})
	took := time.Since(began)
	wantNames(t, "stop", stop, "revoked_before", "reason")
	surface.WantFields(t, "stop", stop, fields{"reason": "leaked"})
	if at := surface.Moment(t, stop, "revoked_before"); at.Before(began.Add(-time.Second)) || at.After(time.Now()) {
		t.Errorf("revoked_before is %s", at)
	}
	if paths := changed(before, e.Stored(t)); len(paths) != 1 || paths[0] != "owner/acme" {
		t.Errorf("the stop wrote %v", paths)
	}
	t.Logf("the stop took %s", took)
	later := e.issue(t, fields{"owner": "acme"})
	refused := 0
	for at := 0; at < keys; at += 1000 {
		items := make([]any, 1000)
		for i := range items {
			items[i] = fields{"key": issued[at+i].Text, "brief": true}
		}
		for _, r := range e.batch(t, "verify", items...) {
			if r["code"] == "revoked" && r["valid"] == false {
				refused++
			}
		}
	}
	if refused != keys {
		t.Errorf("%d of %d keys are refused as revoked", refused, keys)
	}
	e.WantCode(t, "revoked", disabled.Text)
	e.WantCode(t, "valid", later.Text)
	e.WantCode(t, "valid", other.Text)
	if n := e.statusesOf(t, "acme"); n["revoked"] != keys+1 || n["active"] != 1 {
		t.Errorf("after the stop the keys are %v", n)
	}
	surface.WantFields(t, "a stopped key", e.Read(t, "keys/"+issued[0].ID), fields{
		"status": "revoked", "revoke_reason": "leaked", "revoked_at": stop["revoked_before"],
	})

	// Again: what was issued since ends, and the keys that were ended keep their end.
	again := e.Write(t, "stop/owners/acme", nil)
	surface.WantFields(t, "a second stop", again, fields{"reason": ""})
	e.WantCode(t, "revoked", later.Text)
	e.WantCode(t, "valid", e.issue(t, fields{"owner": "acme"}).Text)
	e.WantCode(t, "valid", other.Text)
}

func TestAnOwnerWithoutKeysIsStoppedLikeAnyOther(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	owner := e.web + "-nobody"
	wantNames(t, "stop", e.Write(t, "stop/owners/"+owner, fields{"reason": "in case"}), "revoked_before", "reason")
	k := e.issue(t, fields{"owner": owner})
	e.WantCode(t, "valid", k.Text)
	e.Refused(t, 404, "stop/roles/"+owner, nil)
	for _, bad := range []fields{{"reason": strings.Repeat("r", 257)}, {"reason": 1}, {"owner": "other"}, {"key": k.Text}, {"revoked_before": "2026-01-01T00:00:00Z"}} {
		e.Refused(t, 400, "stop/owners/"+owner, bad)
		e.Refused(t, 400, "stop/roles/"+e.web, bad)
	}
	for _, name := range []string{"a..b", "-a", "a%20b", strings.Repeat("a", 129)} {
		e.Refused(t, 400, "stop/owners/"+name, nil)
	}
	e.WantCode(t, "valid", k.Text)
}

func TestAStoppedRoleCanBeDeletedAtOnce(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, nil)
	owned, nobodys := e.issue(t, fields{"owner": e.web}), e.issue(t, nil)
	child := e.delegate(t, owned, nil)
	e.setRoleNamed(t, e.web+"-other", nil)
	other := e.issueOf(t, e.web+"-other", fields{"owner": e.web})
	e.Want(t, 409, "DELETE", "roles/"+e.web, nil)
	e.Write(t, "stop/roles/"+e.web, fields{"reason": "closed"})
	for _, k := range []key{owned, nobodys, child} {
		e.WantCode(t, "revoked", k.Text)
		e.Refused(t, 409, "rotate/"+k.ID, nil)
		e.Refused(t, 409, "rotate", fields{"key": k.Text})
		e.Refused(t, 409, "delegate", fields{"key": k.Text})
		e.Refused(t, 409, "keys/"+k.ID, fields{"disabled": false})
		e.Write(t, "revoke", fields{"key": k.Text})
	}
	e.WantCode(t, "valid", other.Text)
	later := e.issue(t, nil)
	e.WantCode(t, "valid", later.Text)
	e.Want(t, 409, "DELETE", "roles/"+e.web, nil)
	e.Write(t, "stop/roles/"+e.web, nil)
	e.Want(t, 204, "DELETE", "roles/"+e.web, nil)
	e.setRole(t, nil)
	e.WantCode(t, "revoked", later.Text)
	e.WantCode(t, "revoked", owned.Text)
	e.WantCode(t, "valid", e.issue(t, nil).Text)
}

func TestAStoppedLeaseDoesNotRenewAndItsEndIsASuccess(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.setRole(t, fields{"generate_lease": true, "ttl": "1h"})
	owned, ofRole := e.issue(t, fields{"owner": e.web}), e.issue(t, nil)
	e.Expect(t, 200, "PUT", "sys/leases/renew", fields{"lease_id": owned.Lease})
	e.Write(t, "stop/owners/"+e.web, nil)
	e.Write(t, "stop/roles/"+e.web, nil)
	for _, k := range []key{owned, ofRole} {
		if r := e.API(t, "PUT", "sys/leases/renew", fields{"lease_id": k.Lease}); r.Status == 200 {
			t.Errorf("a stopped key's lease renews: %s", r.Raw)
		}
		e.Expect(t, 204, "PUT", "sys/leases/revoke", fields{"lease_id": k.Lease, "sync": true})
		e.WantCode(t, "revoked", k.Text)
	}
}

// TestTheMarkOfAStopSurvivesTidyAndRestart has a server of its own, which forgets ended keys at once.
func TestTheMarkOfAStopSurvivesTidyAndRestart(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Plugin: true})
	e := mountedOn(t, s)
	e.setRoleNamed(t, "stopped", nil)
	owned, ofRole := e.issue(t, fields{"owner": "acme"}), e.issueOf(t, "stopped", nil)
	e.Write(t, "stop/owners/acme", nil)
	e.Write(t, "stop/roles/stopped", nil)
	record := func(k key) string { return "key/" + k.ID[:2] + "/" + k.ID }
	copies := map[string]string{record(owned): "", record(ofRole): ""}
	for path := range copies {
		copies[path] = e.Stored(t)[path]
	}
	s.Restart(t)
	e.WantCode(t, "revoked", owned.Text)
	e.WantCode(t, "revoked", ofRole.Text)
	e.retainNothing(t)
	e.tidy(t)
	for path := range copies {
		if e.Stored(t)[path] != "" {
			t.Errorf("tidy left %s", path)
		}
	}
	e.WantCode(t, "invalid", owned.Text)
	// A record that comes back, as from an older snapshot, is still one that was stopped.
	for path, value := range copies {
		e.WriteMount(t, e.Mount, path, []byte(value))
	}
	s.Restart(t)
	e.WantCode(t, "revoked", owned.Text)
	e.WantCode(t, "revoked", ofRole.Text)
}
