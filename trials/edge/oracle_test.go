package edge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/verify"
)

// oracle knows what the engine would have said to each question, and when. It asks so
// that nothing is spent, right before and after whatever changes something, and where a
// gate has answered.
type oracle struct {
	v   *vault
	ops atomic.Int64 // how much was begun that may change an answer

	mu      sync.Mutex
	follows []question
	changed time.Time // when something was last changed
	past    map[question][]span
	broken  bool // the engine cannot answer for now
}

// span is a time in which a question had one answer.
type span struct {
	code     verify.Code
	from, to time.Time
	ops      int64 // begun when it was last looked at
}

func newOracle(v *vault) *oracle { return &oracle{v: v, past: map[question][]span{}} }

// follow has a question asked from now on.
func (o *oracle) follow(t *testing.T, qs ...question) {
	t.Helper()
	o.mu.Lock()
	o.follows = append(o.follows, qs...)
	o.mu.Unlock()
	o.look(t, qs...)
}

// forget ends that for all but the latest so many.
func (o *oracle) forget(keep int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.follows = o.follows[max(0, len(o.follows)-keep):]
}

// around does what may change answers.
func (o *oracle) around(t *testing.T, change func()) {
	t.Helper()
	o.look(t)
	o.ops.Add(1)
	change()
	o.ops.Add(1)
	o.mu.Lock()
	o.changed = time.Now()
	o.mu.Unlock()
	o.look(t)
}

// look asks the engine about these questions, or all.
func (o *oracle) look(t *testing.T, qs ...question) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken {
		return
	}
	if qs == nil {
		qs = o.follows
	}
	ops, doors := o.ops.Load(), map[string][]question{}
	for _, q := range qs {
		doors[q.role] = append(doors[q.role], q)
	}
	for role, at := range doors {
		codes, err := o.v.verify(role, at)
		if err != nil {
			t.Errorf("the engine does not answer: %v", err)
			return
		}
		for i, q := range at {
			o.note(q, codes[i], ops)
		}
	}
}

func (o *oracle) note(q question, code verify.Code, ops int64) {
	spans, now := o.past[q], time.Now()
	if n := len(spans); n > 0 && spans[n-1].code == code {
		spans[n-1].to, spans[n-1].ops = now, ops
		return
	}
	o.past[q] = append(spans, span{code, now, now, ops})
}

// lag is for how long the engine had not answered so any more when a gate was asked; and
// whether it ever did. One refusal is as good as another: what a gate holds of a key that
// is gone meanwhile ends by the clock all the same.
func (o *oracle) lag(q question, code verify.Code, from time.Time) (lag time.Duration, ever bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.past[q] {
		if s.code == code || refusal(code) && s.code != verify.Valid {
			lag, ever = max(0, from.Sub(s.to)), true
		}
	}
	return lag, ever
}

// refusal tells whether a code is one of a text that is proven.
func refusal(code verify.Code) bool { return code != verify.Valid && code != verify.Invalid }

// asked tells whether the engine was ever asked.
func (o *oracle) asked(q question) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.past[q]) > 0
}

// real tells whether a text was ever a key.
func (o *oracle) real(q question) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	spans := o.past[q]
	return slices.ContainsFunc(spans, func(s span) bool { return s.code != verify.Invalid })
}

// byClock tells whether the engine's answer to a question is another than this code
// though nobody has done anything for long enough that all gates have heard: a clock ended
// it, and only that.
func (o *oracle) byClock(q question, code verify.Code, asked time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	spans := o.past[q]
	if asked.Sub(o.changed) < soon {
		return false
	}
	n := len(spans)
	return n > 1 && spans[n-1].code != code && spans[n-2].code == code && spans[n-1].from.Equal(spans[n-1].to) && spans[n-2].ops == spans[n-1].ops
}

// history is what is known of a question, for who has to understand a failure.
func (o *oracle) history(q question) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var text strings.Builder
	for _, s := range o.past[q] {
		fmt.Fprintf(&text, "\n\t%s %s to %s", s.code, clockTime(s.from), clockTime(s.to))
	}
	return text.String()
}

func clockTime(at time.Time) string { return at.UTC().Format("15:04:05.000") }

// verify asks about many keys at once, and spends nothing.
func (v *vault) verify(role string, qs []question) (codes []verify.Code, err error) {
	items := make([]any, len(qs))
	for i, q := range qs {
		item := map[string]any{"key": q.text, "cost": 0, "brief": true, "scopes": []any{}}
		if q.scopes != "" {
			item["scopes"] = []any{q.scopes}
		}
		if q.ip != "" {
			item["client_ip"] = q.ip
		}
		items[i] = item
	}
	path := "verify"
	if role != "" {
		path += "/" + role
	}
	resp, err := v.handle(context.Background(), path, map[string]any{"batch_input": items})
	if err != nil {
		return nil, err
	}
	var body struct {
		Data struct {
			Results []struct {
				Code  verify.Code `json:"code"`
				Error string      `json:"error"`
			} `json:"batch_results"`
		} `json:"data"`
	}
	raw, _ := resp.Data[logical.HTTPRawBody].([]byte)
	if err := json.Unmarshal(raw, &body); err != nil {
		return nil, err
	}
	for _, r := range body.Data.Results {
		if r.Error != "" {
			return nil, fmt.Errorf("%s", r.Error)
		}
		codes = append(codes, r.Code)
	}
	return codes, nil
}
