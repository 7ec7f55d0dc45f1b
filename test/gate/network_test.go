package gate

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

// TestAGateThatIsCutOffClosesInTime cuts a gate off, in each way in which a network may fail, and revokes a key
// meanwhile: its knowledge is as old as it may be, to the moment, and then nothing is good.
func TestAGateThatIsCutOffClosesInTime(t *testing.T) {
	const maxStaleness = 3 * time.Second
	for name, cut := range map[string]func(*harness.Link){
		"refused": (*harness.Link).Refuse,
		"lost":    (*harness.Link).Lose,
		"late":    func(l *harness.Link) { l.Delay(1500 * time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := own(t)
			link := harness.NewLink(t, e.Server)
			g := beside(t, e, harness.GateOptions{Vault: link.Address(), Config: `max_staleness = "3s"`})
			g.Ready(t)
			key, other := e.Issue(t, "web", "acme"), e.Issue(t, "web", "acme")
			becomes(t, g, 200, key.Text)
			becomes(t, g, 200, other.Text)
			ofKey, ofOther, ages := hammer(t, g, key.Text, 10*time.Millisecond, 1), hammer(t, g, other.Text, 10*time.Millisecond, 1), watchAge(t, g)
			cut(link)
			e.Write(t, "revoke/"+key.ID, nil)
			revoked := time.Now()
			becomes(t, g, 503, other.Text)
			time.Sleep(time.Second)
			earliest, latest := ages()
			link.Heal()
			healed := time.Now()
			becomes(t, g, 401, key.Text)
			again := time.Since(healed)
			becomes(t, g, 200, other.Text)

			answers := ofKey()
			if last := lastGood(answers).Sub(revoked); last > maxStaleness {
				t.Errorf("%v after its revocation a key is good", last)
			} else {
				t.Logf("the last 200 came %v after the revocation; %v after the network was back it was revoked", last.Round(time.Millisecond), again.Round(time.Millisecond))
			}
			if again > 3500*time.Millisecond { // a call that was lost, and a pause
				t.Errorf("it took %v", again)
			}
			before := ofOther()
			good, closed := at(before, healed)
			closedProperly(t, before, healed)
			if good.After(latest.Add(maxStaleness)) || closed.Before(earliest.Add(maxStaleness)) {
				t.Errorf("it heard everything up to %v..%v; a key is good until %v, and closed from %v on", earliest, latest, good, closed)
			}
			t.Logf("it closed %v to %v after what it knew was certain", good.Sub(latest).Round(time.Millisecond), closed.Sub(earliest).Round(time.Millisecond))
		})
	}
}

// at is when the last question before a moment was sent that was good, and when the first was answered that was closed.
func at(all []answer, before time.Time) (good, closed time.Time) {
	for _, a := range all {
		switch {
		case a.sent.After(before):
		case a.Status == http.StatusOK:
			good = a.sent
		case closed.IsZero():
			closed = a.got
		}
	}
	return good, closed
}

// watchAge watches how old a gate says that its knowledge is, until it is asked between which moments lies the last
// one up to which it has heard everything.
func watchAge(t *testing.T, g *harness.Gate) (certain func() (earliest, latest time.Time)) {
	t.Helper()
	var earliest, latest time.Time
	var watching sync.WaitGroup
	end := make(chan struct{})
	var once sync.Once
	stop := func() { once.Do(func() { close(end) }); watching.Wait() }
	t.Cleanup(stop)
	watching.Go(func() {
		for {
			select {
			case <-end:
				return
			case <-time.After(20 * time.Millisecond):
			}
			sent := time.Now()
			r, err := g.Watch("/ready")
			got := time.Now()
			var age float64
			if _, scanned := fmt.Sscan(fmt.Sprint(r.JSON["age"]), &age); err != nil || scanned != nil {
				continue
			}
			of := time.Duration(age * float64(time.Second))
			if from := sent.Add(-of); from.After(earliest) {
				earliest, latest = from, got.Add(-of)
			}
		}
	})
	return func() (time.Time, time.Time) { stop(); return earliest, latest }
}

// TestAHalfOpenConnectionIsReplaced loses all connections that a gate has, those that wait and those that are idle,
// and tells neither end.
func TestAHalfOpenConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	e := own(t)
	link := harness.NewLink(t, e.Server)
	g := beside(t, e, harness.GateOptions{Vault: link.Address(), Config: `max_staleness = "5s"`})
	g.Ready(t)
	limited := e.Minted(t, "issue/web", fields{"owner": "acme", "quota": 1000})
	becomes(t, g, 200, limited.Text)
	for range 3 {
		key := e.Issue(t, "web", "acme")
		becomes(t, g, 200, key.Text)
		answers := hammer(t, g, key.Text, 10*time.Millisecond, 1)
		link.LoseOpen()
		e.Write(t, "revoke/"+key.ID, nil)
		revoked, opened := time.Now(), link.Opened()
		took := becomes(t, g, 401, key.Text)
		last := lastGood(answers()).Sub(revoked)
		if last > 2500*time.Millisecond { // a poll's second, another until it is late, and a short pause
			t.Errorf("%v after its revocation a key is good", last)
		}
		t.Logf("the last 200 came %v after the revocation, %v until it was refused, by %d connections beside %d", last.Round(time.Millisecond), took.Round(time.Millisecond), link.Opened()-opened, opened)
	}
}
