package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// gateRows are who asks, on the paths of gates.
func gateRows[T any](gate, run func(*T) *string) rows[T] {
	named := func(name, help string, most int, place func(*T) *string) row[T] {
		return row[T]{name: name, field: field{kind: word, help: help}, set: func(in input, to *T) error {
			text, err := required[string](in, name)
			if err == nil {
				err = record.CheckName(name, text)
			}
			if err == nil && len(text) > most {
				err = record.Mistakef("%s is longer than %d bytes", name, most)
			}
			*place(to) = text
			return err
		}}
	}
	return rows[T]{
		named("gate", "Name of the gate.", 128, gate),
		named("run", "Random for each process of a gate.", maxToken, run),
	}
}

// nonce is answered back.
func nonce[T any](place func(*T) *string) row[T] {
	return row[T]{name: "nonce", field: field{kind: word, help: "Answered back, at most 64 bytes: an answer with another is none to this question."}, set: func(in input, to *T) error {
		text := in.word("nonce")
		if len(text) > maxToken {
			return record.Mistakef("nonce is longer than %d bytes", maxToken)
		}
		*place(to) = text
		return nil
	}}
}

// maxToken bounds what is random, and is sent to be known again. A key is longer.
const maxToken = 64

// maxSetting is the longest of a gate's settings, in milliseconds: a day.
const maxSetting = 24 * 60 * 60 * 1000

// milliseconds is a number of them.
func milliseconds[T any](name, help string, most int64, place func(*T) *int64) row[T] {
	return row[T]{name: name, field: field{kind: count, help: help}, set: func(in input, to *T) (err error) {
		*place(to), err = in.number(name, 0, most)
		return err
	}}
}

var pollRows = append(gateRows(func(p *wire.Poll) *string { return &p.Gate }, func(p *wire.Poll) *string { return &p.Run }), rows[wire.Poll]{
	at("cursor", text, "Where the last answer said to go on; empty at first.", func(p *wire.Poll) *string { return &p.Cursor }),
	milliseconds("wait", "For how many milliseconds to wait for a change, at most 5000. Default 0: answered once a write has proven that this node leads.", wire.MaxWait, func(p *wire.Poll) *int64 { return &p.Wait }),
	nonce(func(p *wire.Poll) *string { return &p.Nonce }),
	milliseconds("max_staleness", "How old what the gate knows may be, in milliseconds.", maxSetting, func(p *wire.Poll) *int64 { return &p.MaxStaleness }),
	milliseconds("stale_grace", "For how long it goes on after that, in milliseconds.", maxSetting, func(p *wire.Poll) *int64 { return &p.StaleGrace }),
}...)

var pollAnswer = fields{
	"nonce":   {kind: text, help: "That of the question."},
	"cursor":  {kind: word, help: "Where to go on."},
	"reset":   {kind: flag, help: "Whether this process does not know the poll's cursor: nothing that is held is confirmed."},
	"changes": {kind: list, help: "What changed: key:<key_id>, role:<name>, owner:<name>, quota:<key_id>."},
	"more":    {kind: flag, help: "Whether there is more, so that the next poll should not wait."},
	"waited":  {kind: count, help: "For how many milliseconds the poll was held."},
	"now":     {kind: count, help: "The engine's clock, in milliseconds since 1970."},
	"gates":   {kind: count, help: "How many gates polled lately."},
	"wait":    {kind: count, help: "For how many milliseconds the next poll should wait, as far as the engine is concerned."},
}

// Poller tells what changed.
type Poller interface {
	Poll(ctx context.Context, p wire.Poll) (wire.Changes, error)
}

// Gate is what tells gates of changes.
type Gate struct{ Feed Poller }

func (g Gate) routes() []route {
	return []route{{"gate/changes", "What changed since a gate asked last.",
		"Answers the names of what changed since a cursor, once there is anything or the wait is over. An answer holds every change that was answered before it. For gates, which decide about keys beside a gateway.", nil, operations{
			logical.UpdateOperation: {summary: "Wait for changes.", takes: pollRows.fields(), answers: pollAnswer, handler: g.changes, writes: true},
		}}}
}

func (g Gate) changes(ctx context.Context, r request) (*logical.Response, error) {
	return gateAnswer(r, func() (answer wire.Changes, err error) {
		var p wire.Poll
		if err := pollRows.take(r.in, &p); err != nil {
			return answer, err
		}
		return g.Feed.Poll(ctx, p)
	})
}
