package e2e

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
	"vault-plugin-secrets-apikeys/trials/opener"
)

// doomed is a request under which the plugin is killed.
type doomed struct {
	key    key // whose holder must not notice
	path   string
	body   fields
	owner  string // of the key that an issue makes
	answer harness.Response
}

// TestAKillUnderRotationsAndIssuesMakesNoSecondOnes kills the plugin under many requests at once, which Vault then runs
// again where it has noticed the death before the end of the connection. What was answered has happened once; and
// whatever became of a request, the holder's key works for its grace.
func TestAKillUnderRotationsAndIssuesMakesNoSecondOnes(t *testing.T) {
	t.Parallel()
	e := mountedOn(t, harness.Start(t, harness.Options{Plugin: true, LogLevel: "error"}))
	e.Write(t, "roles/web", fields{"generate_lease": false, "max_keys_per_owner": 1})
	outcomes := map[string]int{}
	for round := range 4 {
		requests := make([]doomed, 16)
		for i := range requests {
			k := e.issue(t, "web", nil)
			d := doomed{key: k, path: "rotate/" + k.ID, body: fields{"expected_version": 1}}
			switch i % 5 {
			case 0:
				d.body = nil
			case 1:
				d.path, d.body = "rotate", fields{"key": k.Text}
			case 2:
				d.owner = fmt.Sprintf("owner-%d-%d", round, i)
				d.path, d.body = "issue/web", fields{"owner": d.owner, "recipients": opener.Known}
			case 3:
				d.body["recipients"] = opener.Known
			case 4:
				d.owner = fmt.Sprintf("owner-%d-%d", round, i)
				d.path, d.body = "static-keys/"+d.owner, fields{"role": "web", "owner": d.owner}
			}
			requests[i] = d
		}
		e.killUnder(t, requests)
		for i := range requests {
			outcomes[e.once(t, &requests[i])]++
		}
	}
	t.Logf("%v", outcomes)
}

// killUnder kills the plugin at a random moment while it is asked.
func (e engine) killUnder(t *testing.T, requests []doomed) {
	t.Helper()
	var clients sync.WaitGroup
	for i := range requests {
		clients.Go(func() {
			requests[i].answer = e.API(t, "POST", e.path(requests[i].path), requests[i].body)
		})
	}
	time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
	e.KillPluginAsleep(t)
	clients.Wait()
	e.AwaitPlugin(t)
}

// once checks that a request happened once at most, and if it was answered, once. It tells which.
func (e engine) once(t *testing.T, d *doomed) string {
	t.Helper()
	e.WantCode(t, "valid", d.key.Text)
	if version := surface.Number(t, e.Read(t, "keys/"+d.key.ID), "version"); version > 2 {
		t.Errorf("%s rotated the key to version %d", d.path, version)
	}
	if d.answer.Status != 200 {
		if d.answer.Status != 500 {
			t.Errorf("%s answers %d %s", d.path, d.answer.Status, d.answer.Errors())
		}
		return "error"
	}
	made := surface.KeyOf(t, d.answer) // in clear only where nobody was to get it sealed
	e.WantCode(t, "valid", made.Text)
	if d.owner == "" {
		surface.WantFields(t, d.path, made.Data, fields{"version": 2, "previous_version": 1})
		return "rotated"
	}
	if keys := e.Want(t, 200, "LIST", "owners/"+d.owner+"/keys", nil).Data()["keys"].([]any); len(keys) != 1 {
		t.Errorf("an issue left %d keys of its owner", len(keys))
	}
	return "issued"
}
