package edge

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// lie has a vault answer everything with this text, decoded as what was asked for: with the question's nonce, as a
// confused Vault would, or with the text's own, as somebody between would.
func (w *world) lie(text string, nonce bool) {
	w.vault.set(func() {
		w.vault.onPoll = func(_ context.Context, a *wire.Changes) error {
			own := a.Nonce
			*a = decoded[wire.Changes](text)
			if nonce {
				a.Nonce = own
			}
			return nil
		}
		w.vault.onTold = func(_ context.Context, a *wire.Told) error {
			own := a.Nonce
			*a = decoded[wire.Told](text)
			if nonce {
				a.Nonce = own
			}
			return nil
		}
		w.vault.onConfirm = func(a *wire.Confirmed) error {
			own := a.Nonce
			*a = decoded[wire.Confirmed](text)
			if nonce {
				a.Nonce = own
			}
			return nil
		}
	})
}

func decoded[T any](text string) (a T) {
	_ = json.Unmarshal([]byte(text), &a) // half of an answer is one, too
	return a
}

// lies are answers that make no sense, or more than they should.
func lies() []string {
	const cursor = `"cursor":"8-0123456789abcdef.0"`
	all := []string{
		``, `null`, `{}`, `{"nonce":""}`, `{` + cursor + `,"reset":true}`, `{` + cursor + `,"more":true,"changes":["","x","key:","role:web","owner:acme","quota:","legacy:x",":"]}`,
		`{"cursor":"7-0123456789abcdef.18446744073709551615","now":1}`, `{` + cursor + `,"results":[{"key_id":"X7pzDtTZaKwFMUsv","version":1}],"records":{"X7pzDtTZaKwFMUsv":{}},"roles":{"web":{}},"owners":{"acme":null}}`,
		`{` + cursor + `,"results":[{"code":"invalid"}],"records":{"X7pzDtTZaKwFMUsv":null}}`, `{"grants":[{}]}`, `{"grants":[{"granted":5,"window":1,"window_ends":9999999999,"remaining":7}]}`,
	}
	for _, n := range []string{"9223372036854775807", "-9223372036854775808", "9223372036855", "-1"} {
		all = append(all, strings.ReplaceAll(`{`+cursor+`,"now":N,"waited":N,"wait":N,"gates":1,"grants":[{"granted":N,"window":N,"window_ends":N,"remaining":N}]}`, "N", n))
	}
	return all
}

// FuzzAnswers has Vault, or who stands between, answer a gate with whatever it likes. Under another nonce it is silence:
// nothing is learned or forgotten, and nothing grows younger. Under the question's own nonce a gate may be told
// nonsense, but it neither breaks, nor holds more than it may.
func FuzzAnswers(f *testing.F) {
	for _, text := range lies() {
		f.Add(text, false)
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, nonce bool) {
		in(t, Settings{Size: 256}, func(w *world) {
			_, warm := w.issue()
			w.want(warm, "valid")
			time.Sleep(time.Second)
			before, cursor := figures(w.Mirror), w.Status().Cursor
			w.lie(text, nonce)
			time.Sleep(3 * time.Second)
			unknown := w.text(apikeyID(), 1)
			if a, err := w.verify(unknown); err == nil && a.Valid() {
				t.Errorf("a key that nobody issued is valid by %s", text)
			}
			_, _ = w.verify(warm)
			m := w.Mirror
			m.confirmAll(w.t.Context())
			wantSane(t, m)
			if nonce {
				return
			}
			after := figures(m)
			for _, of := range []string{"resets_total", "drift_total", "gates", "cache_entries keys", "cache_entries roles", "cache_entries owners", "cache_entries proofs", "cache_entries invalid"} {
				if after[of] != before[of] {
					t.Errorf("under another nonce %s became %v, from %v", of, after[of], before[of])
				}
			}
			if after["age_seconds"] < 2 || m.Status().Cursor != cursor {
				t.Errorf("under another nonce it knows all of %vs ago, up to %s", after["age_seconds"], m.Status().Cursor)
			}
			w.vault.set(func() { w.vault.onPoll, w.vault.onTold, w.vault.onConfirm = nil, nil, nil })
			time.Sleep(maxPause + time.Second)
			w.want(warm, "valid")
			w.want(unknown, "invalid")
		})
		lend(t, text, nonce)
	})
}

// wantSane wants all figures of a mirror to be such as can be, and what it holds to be bounded.
func wantSane(t *testing.T, m *Mirror) {
	t.Helper()
	for name, value := range figures(m) {
		if math.IsNaN(value) || math.IsInf(value, 0) || value < 0 {
			t.Errorf("%s is %v", name, value)
		}
		if strings.HasPrefix(name, "cache_entries") && value > refusedSize {
			t.Errorf("%s is %v", name, value)
		}
	}
	if s := m.Status(); s.Age < 0 || s.Age > 24*time.Hour {
		t.Errorf("it is %+v", s)
	}
}

// lender answers what a gate would borrow.
type lender struct {
	text  string
	nonce bool
}

func (l lender) Reserve(_ context.Context, _ string, r wire.Reserve) (wire.Grants, error) {
	a := decoded[wire.Grants](l.text)
	if l.nonce {
		a.Nonce = r.Nonce
	}
	return a, nil
}

// lend has a gate borrow of it. Without the nonce nothing is lent, and with it no more is spent than was said.
func lend(t *testing.T, text string, nonce bool) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQuotas(lender{text, nonce}, "edge-1", "run", func() record.Time { return record.At(time.Now()) }, func() time.Duration { return time.Second }, func(string) {})
		line := limit.Line{ID: "a", Role: "web", Created: record.At(time.Now()), Limits: record.Limits{Quota: 10, RateLimitPeriod: 1}}
		spent := int64(0)
		for range 3 {
			if v, err := q.Meter.Take(t.Context(), []limit.Line{line}, 1, record.At(time.Now())); err == nil && v.Outcome == limit.Allowed {
				spent++
			}
		}
		if spent > 0 && (!nonce || decoded[wire.Grants](text).Grants[0].Granted < 1) {
			t.Errorf("%d units are spent that nobody lent: %s", spent, text)
		}
		time.Sleep(time.Minute) // what is under way ends
	})
}
