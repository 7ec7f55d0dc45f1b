package disclose

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// Confirm tells which of the records that a gate knows are not what it thinks: gone, or
// of another fingerprint. Nothing else is told of them, whoever's they are.
func (r *Records) Confirm(ctx context.Context, c wire.Confirm) (answer wire.Confirmed, err error) {
	known, err := wire.Split(c.Known)
	if err != nil {
		return answer, err
	}
	limited, end, err := r.work(ctx)
	if err != nil {
		return answer, err
	}
	defer end()
	answer = wire.Confirmed{Nonce: c.Nonce, Changed: []string{}, Cursor: r.Feed.Cursor()}
	for i := range known {
		var same bool
		if err := timely(limited, func() (err error) { same, err = r.same(limited, &known[i]); return err }); err != nil {
			return wire.Confirmed{}, err
		}
		if !same {
			answer.Changed = append(answer.Changed, known[i].ID)
		}
	}
	answer.Now = r.now()
	return answer, nil
}

// same tells whether a record is what the gate thinks. One that cannot be read any more
// is not: whoever asks for it hears why.
func (r *Records) same(ctx context.Context, h *wire.Held) (bool, error) {
	k, found, err := r.Keys.GlanceKey(ctx, h.ID)
	return err == nil && found && wire.Fingerprint(&k) == h.Fingerprint, record.Except(err, store.ErrUnreadable)
}
