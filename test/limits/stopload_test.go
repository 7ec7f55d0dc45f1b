package limits

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

// median is the median time of some runs.
func median(runs int, run func()) time.Duration {
	took := make([]time.Duration, runs)
	for i := range took {
		began := time.Now()
		run()
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took[runs/2]
}

// TestAStopDoesNotWaitForIssuers stops an owner with 2,000 ended keys, for whom 40 issuers make more under a limit.
// What else the machine has to do then is told by a request that needs nothing of the engine: only what the stop takes
// beyond twice that, and beyond twice its own quiet time, is time in which it waited for somebody.
func TestAStopDoesNotWaitForIssuers(t *testing.T) {
	t.Parallel()
	e := mountedOn(t, harness.Start(t, harness.Options{Plugin: true}))
	const ended, issuers, stops = 2000, 40, 9
	together(ended, func(int) { e.Write(t, "revoke/"+e.issue(t, fields{"owner": "acme"}).ID, nil) })
	e.setRole(t, fields{"max_keys_per_owner": 1000})
	stop := func() { e.Write(t, "stop/owners/acme", fields{"reason": "leaked"}) }
	quiet := median(stops, stop)

	var over atomic.Bool
	var made, refused atomic.Int64
	var work sync.WaitGroup
	for range issuers {
		work.Go(func() {
			for !over.Load() {
				switch r := e.try(t, "issue/"+e.web, fields{"owner": "acme"}); r.Status {
				case 200:
					made.Add(1)
				case 409, 503:
					refused.Add(1)
				default:
					t.Errorf("an issue beside a stop: %d: %s", r.Status, r.Raw)
					return
				}
			}
		})
	}
	for made.Load() < 2*issuers && !t.Failed() {
		time.Sleep(10 * time.Millisecond)
	}
	other := median(stops, func() { e.Read(t, "info") })
	beside := median(stops, stop)
	first := e.issue(t, fields{"owner": "acme"})
	stop()
	e.WantCode(t, "revoked", first.Text)
	over.Store(true)
	work.Wait()
	t.Logf("a stop takes %s, beside %d issuers %s; a read of info beside them %s; %d keys were made, %d refused", quiet, issuers, beside, other, made.Load(), refused.Load())
	if most := max(2*quiet, 2*other, 250*time.Millisecond); beside > most {
		t.Errorf("a stop takes %s, beside %d issuers %s", quiet, issuers, beside)
	}
}
