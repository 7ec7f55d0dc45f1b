package gateways

import (
	"net/http"
	"os"
	"testing"
	"time"
)

func revokedInUse(t *testing.T, s *site) {
	k := s.minted(t)
	s.ask(t, "GET /orders", key(k.Text)).want(t, "before", http.StatusOK)
	type use struct {
		sent time.Time
		good bool
	}
	uses, stop := make(chan []use), make(chan struct{})
	for range 4 {
		go func() {
			var mine []use
			defer func() { uses <- mine }()
			for {
				select {
				case <-stop:
					return
				default:
					sent := time.Now()
					a, err := s.try("GET /orders", key(k.Text))
					mine = append(mine, use{sent, err == nil && a.StatusCode == http.StatusOK})
				}
			}
		}()
	}
	time.Sleep(200 * time.Millisecond)
	s.Write(t, "revoke/"+k.ID, fields{})
	revoked := time.Now()
	time.Sleep(1500 * time.Millisecond)
	close(stop)
	before, last := 0, time.Duration(0)
	for range 4 {
		for _, u := range <-uses {
			if u.good && u.sent.Before(revoked) {
				before++
			}
			if u.good {
				last = max(last, u.sent.Sub(revoked))
			}
		}
	}
	if before == 0 {
		t.Error("nothing passed before the revocation")
	}
	if last > time.Second {
		t.Errorf("a request that was sent %s after the revocation was answered passed", last)
	}
	t.Logf("the last request that passed was sent %s after the revocation was answered, of %d before it", last, before)
}

func away(t *testing.T, s *site) {
	k := s.minted(t)
	good := func(what string) { s.ask(t, "GET /orders", key(k.Text)).want(t, what, http.StatusOK) }
	closed := func(what string, within time.Duration) {
		t.Helper()
		a := s.ask(t, "GET /orders", key(k.Text))
		a.want(t, what, http.StatusServiceUnavailable)
		if a.took > within {
			t.Errorf("%s: the answer took %s", what, a.took)
		}
		if a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: the client is not told when to come again", what)
		}
	}
	good("before")
	s.decider.program.Freeze()
	closed("it hangs", 6*time.Second)
	s.decider.program.Thaw()
	s.decider.program.Stop()
	closed("it is away", 2*time.Second)
	id, _ := os.ReadFile(s.path("secret-id"))
	os.Remove(s.path("secret-id"))
	s.decider.program = s.decider.start(t)
	closed("it could not log in", 2*time.Second)
	s.decider.program.Stop()
	write(t, s.path("secret-id"), string(id))
	s.decider.program = s.decider.start(t)
	good("after")
}
