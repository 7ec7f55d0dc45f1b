package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// confirms measures how long a gate takes to have confirmed all that it holds:
// after Vault has started, after the plugin has, and when another gate asked
// for the same before. All records but one are copies of a real one under other
// ids, written past the engine.
func confirms(t *runner, p gatePlan) {
	b := newGateBed(t, p)
	questions := b.hold(p.held)
	out := newListing(fmt.Sprintf("gate/confirm of %d records in %d calls, one after the other", p.held, len(questions)),
		"engine", "seconds", "ms a call, median (max)", "µs a record", "Vault core-µs a record", "plugin core-µs a record", "busy")
	defer out.Flush()
	for range p.drains {
		b.server.Restart(t)
		b.confirm(out, "cold, Vault too", questions)
		b.server.Reload(t)
		b.confirm(out, "cold", questions)
		b.confirm(out, "warm", questions)
	}
}

// hold makes n records, and answers the questions that confirm them as they are.
func (b *gateBed) hold(n int) (questions [][]byte) {
	ids := b.copies(n)
	l := b.lines(1)[0]
	defer l.Close()
	var held []wire.Held
	for at := 0; at < n; at += 500 {
		var told wire.Told
		b.answer(l, b.client.request(http.MethodPost, gateMount+"/gate/resolve", wire.Ask{KeyIDs: ids[at:min(at+500, n)]}), &told)
		for id, k := range told.Records {
			held = append(held, wire.Held{ID: id, Fingerprint: k.Fingerprint})
		}
	}
	if len(held) != n {
		b.t.Fatalf("of %d records %d were told", n, len(held))
	}
	for at := 0; at < n; at += wire.MaxKnown {
		known := wire.Join(held[at:min(at+wire.MaxKnown, n)])
		questions = append(questions, b.client.request(http.MethodPost, gateMount+"/gate/confirm", wire.Confirm{Known: known}))
	}
	return questions
}

// copies issues a key and writes copies of its record, past the engine.
func (b *gateBed) copies(n int) (ids []string) {
	made := b.server.Expect(b.t, http.StatusOK, http.MethodPost, gateMount+"/issue/plain", map[string]any{"owner": "acme", "metadata": map[string]any{"env": "live"}})
	id, _ := made.Data()["key_id"].(string)
	record := ""
	b.server.WalkMount(b.t, gateMount, func(path string, value []byte) {
		if strings.HasPrefix(path, "key/") {
			record = string(value)
		}
	})
	root := client{b.client.address, b.server.Token}
	folder := "sys/raw/" + b.server.MountRoot(b.t, gateMount)
	copied := make([]key, n)
	b.eachOn(32, copied, func(l *line, k *key) error {
		other, err := apikey.NewID(rand.Reader)
		if err != nil {
			return err
		}
		k.ID = other
		value := base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(record, id, other)))
		c := contender{name: "copy a record"}
		return c.call(l, root.request(http.MethodPut, folder+"key/"+other[:2]+"/"+other, map[string]any{"value": value, "encoding": "base64"}))
	})
	for _, k := range copied {
		ids = append(ids, k.ID)
	}
	return ids
}

// answer sends a request until it is not refused as busy, and answers how often it was.
func (b *gateBed) answer(l *line, request []byte, into any) (busy int) {
	for {
		status, body, err := l.send(request)
		b.t.must(err)
		if status == http.StatusServiceUnavailable && busy < 100 {
			busy++
			continue
		}
		if status != http.StatusOK {
			err = fmt.Errorf("a gate was answered %d: %.200s", status, body)
		}
		b.t.must(errors.Join(err, data(body, into)))
		return busy
	}
}

func (b *gateBed) confirm(out listing, state string, questions [][]byte) {
	// The plugin runs from the first request to a mount on.
	b.server.Expect(b.t, http.StatusOK, http.MethodGet, gateMount+"/roles/plain", nil)
	l := b.lines(1)[0]
	defer l.Close()
	vault, plugin := b.servers()
	used := [2]time.Duration{b.effort([]process{vault}), b.effort([]process{plugin})}
	var took []float64
	busy, began := 0, time.Now()
	for _, question := range questions {
		var answer wire.Confirmed
		asked := time.Now()
		busy += b.answer(l, question, &answer)
		took = append(took, ms(time.Since(asked)))
		if len(answer.Changed) > 0 {
			b.t.Fatalf("%d records are not what they were", len(answer.Changed))
		}
	}
	total, n := time.Since(began), float64(b.plan.held)
	each := func(d time.Duration) string { return short(float64(d.Microseconds()) / n) }
	out.line(state, short(total.Seconds()), medianOf(took), each(total),
		each(b.effort([]process{vault})-used[0]), each(b.effort([]process{plugin})-used[1]), fmt.Sprint(busy))
}
