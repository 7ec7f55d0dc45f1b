package watch

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// pieces are what of a honeytoken's text must not show: eight characters in a row of its
// body, which begins with the version.
func pieces(text string) (of []string) {
	for body := text[len(text)-60:]; len(body) >= 8; body = body[1:] {
		of = append(of, body[:8])
	}
	return of
}

// Nobody is shown a honeytoken but who planted it: no answer, log, event, metric or entry of
// storage holds a piece of it, whatever is asked.
func TestNoPieceOfAHoneytokenShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := planted(t)
		var answers strings.Builder
		keep := func(a mount.Answer) {
			fmt.Fprintf(&answers, "%d %s %v %v\n", a.Status, a.Text, a.Data, a.Warnings)
			if body, err := base64.StdEncoding.DecodeString(a.Str(logical.HTTPRawBody)); err == nil {
				answers.Write(body)
			}
		}
		for _, send := range requests() {
			keep(send(w.Mount, w.trap))
			keep(send(w.Mount, w.forged()))
		}
		w.Request = ""
		settle()
		keep(w.Write("honeytokens/wiki", fields{"description": "again", "disables": []string{}}))
		for _, path := range []string{"honeytokens/other", "honeytokens/wiki", "alerts/" + w.trap, "keys/" + w.identity, "search", "tidy"} {
			for _, field := range []string{"key", "role", "description", "disables", w.trap} {
				keep(w.Write(path, fields{field: w.trap}))
			}
		}
		for _, path := range []string{"honeytokens/", "alerts/", "keys/", "owners/", "roles/", "owners/acme/keys/"} {
			keep(w.Do(logical.ListOperation, path, nil))
		}
		for _, path := range []string{
			"honeytokens/wiki", "honeytokens/" + w.trap, "alerts/honeytoken_used.wiki", "alerts/forged_keys", "alerts/" + w.trap, "metrics", "usage", "keys/" + w.id,
			"roles/web", "usage/keys/" + w.id, "usage/owners/acme", "config", "info", "tidy-status",
		} {
			keep(w.Read(path))
		}
		w.Restart()
		w.use(1)
		w.Tidy()
		for _, path := range []string{"alerts/honeytoken_used.wiki", "honeytokens/wiki"} {
			keep(w.Do(logical.DeleteOperation, path, nil))
		}
		w.use(1)
		settle()
		places := map[string]string{"an answer": answers.String(), "the log": w.Log.String(), "an event": w.Events.String()}
		for path, value := range w.Storage.Dump() {
			places["storage"] += path + " " + string(value) + "\n"
		}
		for where, wanted := range map[string]string{"an answer": "apikeys_alerts_open", "the log": "", "an event": "honeytoken_used", "storage": "tag-key"} {
			if !strings.Contains(places[where], wanted) {
				t.Errorf("%s has nothing of %s", where, wanted)
			}
			for _, piece := range pieces(w.trap) {
				if strings.Contains(places[where], piece) {
					t.Errorf("%s holds a piece of it", where)
					break
				}
			}
		}
		// Who hears of events need not know of any honeytoken.
		if strings.Contains(places["an event"], "wiki") || strings.Contains(places["an event"], w.identity) {
			t.Errorf("events tell which it is:\n%s", places["an event"])
		}
	})
}
