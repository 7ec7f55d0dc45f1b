package disclose

import (
	"context"
	"encoding/json"
	"errors"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// Question is what a gate asks. It names MaxNames of wire at most.
type Question struct {
	Nonce string // is answered back
	// Role, where it is set, is the only one of whose keys anything is told.
	Role   string
	Texts  []apikey.Presented
	KeyIDs []string // ids by their form
	Roles  []string // names by their grammar, as those of owners
	Owners []string
}

// Answer is wire.Told as it is made: a record is encoded once, so that its length is
// known.
type Answer struct {
	Nonce   string                     `json:"nonce"`
	Results []wire.Result              `json:"results"`
	Records map[string]json.RawMessage `json:"records"`
	Roles   map[string]*wire.Role      `json:"roles"`
	Owners  map[string]*wire.Owner     `json:"owners"`
	Cursor  string                     `json:"cursor"`
	Now     int64                      `json:"now"`
}

// Resolve proves texts and shows records. What it cannot tell of one name spoils no
// other: of a text it says so in its place, as undecided puts it; any other is left out.
func (r *Records) Resolve(ctx context.Context, q Question, undecided func(error) wire.Result) (*Answer, error) {
	limited, end, err := r.work(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	t := r.begin(&q)
	defer t.end()
	for _, text := range q.Texts {
		var is wire.Result
		err := timely(limited, func() (err error) { is, err = t.text(limited, text); return err })
		if failsAll(limited, err) {
			return nil, err
		}
		if err != nil {
			is = undecided(err)
		}
		t.answer.Results = append(t.answer.Results, is)
	}
	for _, asked := range []struct {
		names []string
		show  func(ctx context.Context, name string) error
	}{{q.KeyIDs, t.key}, {q.Roles, t.namedRole}, {q.Owners, t.namedOwner}} {
		for _, name := range asked.names {
			err := timely(limited, func() error { return asked.show(limited, name) })
			if failsAll(limited, err) {
				return nil, err
			}
			if err != nil {
				undecided(err) // which tells the log
			}
		}
	}
	t.answer.Now = r.now()
	return t.answer, nil
}

// failsAll tells whether an error is the answer to the whole call: another node answers,
// or nobody listens any more.
func failsAll(limited context.Context, err error) bool {
	return errors.Is(err, record.ErrElsewhere) || err != nil && errors.Is(limited.Err(), context.Canceled)
}

// text is what a text is, and shows its key.
func (t *telling) text(ctx context.Context, text apikey.Presented) (wire.Result, error) {
	p, err := t.of.Prover.Prove(ctx, text, t.role)
	if err != nil {
		return wire.Result{}, err
	}
	if !p.Holds() {
		t.of.Refused(&verify.Observation{Failure: p.Failure, Honeytoken: p.Honeytoken, Text: p.Text, At: t.of.Clock.Now(), Role: t.role})
		return wire.Result{Code: wire.CodeInvalid}, nil
	}
	return wire.Result{KeyID: p.Key.ID, Version: p.Version.Number}, t.key(ctx, p.Key.ID)
}
