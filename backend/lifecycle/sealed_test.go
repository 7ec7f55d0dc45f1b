package lifecycle

import (
	"testing"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/trials/opener"
)

// sealed is a key of acme that is sealed to this one.
func (w *world) sealed(to opener.Opener) (Minted, apikey.Presented) {
	w.Helper()
	m, err := w.Issue(w.Context(), IssueRequest{Role: "web", Want: record.Request{Owner: "acme", Recipients: &[]string{to.Recipient}}})
	w.must(err)
	if m.Text.Reveal() != "" {
		w.Error("it is answered in clear as well")
	}
	return m, apikey.Present(to.Open(w, m.Sealed))
}

func TestWhatChangesWhileAKeyIsSealedIsNoticed(t *testing.T) {
	one, other := opener.X25519(t), opener.X25519(t)
	for name, tc := range map[string]struct {
		named  *[]string
		during func(w *world, id string) error
		want   error
	}{
		"the recipients, that nobody named": {nil, func(w *world, id string) error {
			_, err := w.Update(w.Context(), Target{ID: id}, record.Change{Recipients: &[]string{other.Recipient}})
			return err
		}, ErrRecipientsChanged},
		"the recipients, that were named": {&[]string{one.Recipient}, func(w *world, id string) error {
			_, err := w.Update(w.Context(), Target{ID: id}, record.Change{Recipients: &[]string{other.Recipient}})
			return err
		}, nil},
		"the role's list": {nil, func(w *world, _ string) error {
			w.role("web", func(r *record.Role) { r.AllowedRecipients = []string{other.Recipient} })
			return nil
		}, record.Mistake("the role's allowed_recipients does not list " + one.Recipient)},
		"something else": {nil, func(w *world, id string) error {
			_, err := w.Update(w.Context(), Target{ID: id}, record.Change{Name: new("other")})
			return err
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m, _ := w.sealed(one)
			w.during = func() { w.must(tc.during(w, m.Key.ID)) }
			next, err := w.Rotate(t.Context(), Target{ID: m.Key.ID}, RotateRequest{Recipients: tc.named})
			if err != tc.want {
				t.Fatalf("it answers %v", err)
			}
			k := w.key(m.Key.ID)
			if err != nil {
				if k.Current().Number != 1 || next.Sealed != "" {
					t.Error("it was rotated all the same")
				}
				return
			}
			if got := k.Current().Recipients; len(got) != 1 || got[0] != one.Recipient || !one.Opens(next.Sealed) {
				t.Errorf("the record says %.12q", got)
			}
		})
	}
}

// A role that begins to require recipients while a key is made in clear gets no such key.
func TestARoleThatBeginsToRequireRecipientsGetsNoKeyInClear(t *testing.T) {
	w := newWorld(t)
	require := func() { w.role("web", func(r *record.Role) { r.RequireRecipients = true }) }
	m := w.issue()
	w.during = require
	if _, err := w.Rotate(t.Context(), Target{ID: m.Key.ID}, RotateRequest{}); err == nil {
		t.Error("it was rotated in clear")
	}
	w.role("web", func(r *record.Role) { r.RequireRecipients = false })
	w.during = require
	if _, err := w.Issue(t.Context(), IssueRequest{Role: "web"}); err == nil {
		t.Error("a key was issued in clear")
	}
}

func TestASealedKeyIsAKeyLikeAnyOther(t *testing.T) {
	w, one := newWorld(t), opener.X25519(t)
	m, text := w.sealed(one)
	next, err := w.RotateByKey(t.Context(), text, RotateRequest{})
	w.must(err)
	for who, text := range map[string]apikey.Presented{"old": text, "new": apikey.Present(one.Open(t, next.Sealed))} {
		if d, err := w.verify.Verify(t.Context(), verify.Request{Key: text}); err != nil || !d.Valid() {
			t.Errorf("the %s text is %v, %v", who, d.Code, err)
		}
	}
	w.must(w.WithdrawLease(t.Context(), m.Key.ID, 2))
	if k := w.key(m.Key.ID); k.Current().Number != 1 || len(k.Current().Recipients) != 1 || k.SealedFrom != 1 {
		t.Errorf("with its second version taken back it is %v", k.Current().Recipients)
	}
}
