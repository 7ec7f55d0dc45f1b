package edge_test

import (
	"crypto/rand"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// Random keys with a right form cost Vault 500 texts a second after 5,000, and warm keys
// no refusal.
func TestAFloodOfRandomKeysIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, nil)
		warm := newHammer(t, s.g, question{text: s.text}, 5*time.Millisecond)
		before, began := s.calls.invalid.Load(), time.Now()
		var flood sync.WaitGroup
		const seconds, rate = 4, 4000
		for range seconds * 100 {
			for range rate / 100 {
				q := question{text: strange(t)}
				flood.Go(func() {
					if r := s.g.ask(q); r.code() != verify.Invalid && r.err == nil {
						t.Errorf("a random text is %v", r)
					}
				})
			}
			time.Sleep(10 * time.Millisecond)
		}
		asked, most := s.calls.invalid.Load()-before, int64(5000+500*seconds)
		if asked > most+500 || asked < most-1500 {
			t.Errorf("in %v Vault was asked about %d invalid texts, and may be about %d", time.Since(began), asked, most)
		}
		t.Logf("of %d random texts in %ds Vault was asked about %d", seconds*rate, seconds, asked)
		flood.Wait()
		warm.only(t, "through a flood", began, time.Now(), "valid")
	})
}

// One client address, or the /64 of one, has 20 a second after 200; others go on.
func TestAFloodFromOneAddressLeavesTheOthersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, nil)
		before := s.calls.invalid.Load()
		var flood sync.WaitGroup
		for i := range 2000 {
			addr := netip.MustParseAddr("2001:db8:1:2::1")
			for range i % 7 {
				addr = addr.Next()
			}
			q := edge.Question{Request: question{text: strange(t)}.request(true), Client: addr}
			flood.Go(func() { s.g.Verify(t.Context(), q) })
			time.Sleep(time.Millisecond)
		}
		_, cold := s.issue(nil)
		of := edge.Question{Request: question{text: cold}.request(true), Client: netip.MustParseAddr("198.51.100.4")}
		if a, err := s.g.Verify(t.Context(), of); err != nil || a.Code != verify.Valid {
			t.Errorf("somebody else's key is %v, %v", a.Code, err)
		}
		flood.Wait()
		if asked := s.calls.invalid.Load() - before; asked > 200+20*4+20 || asked < 200 {
			t.Errorf("Vault was asked about %d texts of one client", asked)
		}
	})
}

// What turns out to be a key does not count, however many come at once.
func TestManyGoodKeysAtOnceAreNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, nil)
		const many = 700
		texts := make([]string, many)
		for i := range texts {
			_, texts[i] = s.issue(nil)
		}
		before := s.calls.resolve.Load()
		client := netip.MustParseAddr("198.51.100.4")
		var all sync.WaitGroup
		for _, text := range texts {
			all.Go(func() {
				a, err := s.g.Verify(t.Context(), edge.Question{Request: question{text: text}.request(true), Client: client})
				if err != nil || a.Code != verify.Valid {
					t.Errorf("a good key is %v, %v", a.Code, err)
				}
			})
		}
		all.Wait()
		if calls := s.calls.resolve.Load() - before; calls > 50 {
			t.Errorf("%d keys took %d calls", many, calls)
		}
	})
}

// strange is a text that is a key by its form, of no mount.
func strange(t *testing.T) string {
	t.Helper()
	secret := make([]byte, 32)
	rand.Read(secret)
	tagKey, err := apikey.NewTagKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	id, err := apikey.NewID(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := apikey.Generate(rand.Reader, tagKey, "vak", id, 1)
	if err != nil {
		t.Fatal(err)
	}
	return k.Reveal()
}
