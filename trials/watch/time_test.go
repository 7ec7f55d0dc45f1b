//go:build !race

package watch

import (
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// It takes as long to say that a honeytoken is invalid as to say it of a forged key, on
// each path that takes a key: medians of 500 interleaved samples each, beside those of two
// forged keys.
func TestAHoneytokenTakesAsLongAsAForgedKey(t *testing.T) {
	w := planted(t)
	w.use(1)
	forged := reChecked(w.trap[:len(w.trap)-30] + "x" + w.trap[len(w.trap)-29:])
	other := reChecked(w.trap[:len(w.trap)-31] + "yy" + w.trap[len(w.trap)-29:])
	for _, path := range []string{"verify", "verify/web", "authorize", "rotate", "revoke", "delegate"} {
		send := func(text string) { w.Ask(logical.UpdateOperation, path, fields{"key": text}) }
		// A machine that is busy tells two equal things apart once in a while, never thrice.
		var told []time.Duration
		for range 5 {
			of := medians(500, send, w.trap, forged, other)
			noise := max((of[1] - of[2]).Abs(), of[1]/20)
			if told = []time.Duration{of[0], of[1], of[2]}; (of[0] - of[1]).Abs() <= noise {
				t.Logf("%s takes %v, and %v and %v of forged keys", path, of[0], of[1], of[2])
				told = nil
				break
			}
		}
		if told != nil {
			t.Errorf("%s takes %v, and %v and %v of forged keys", path, told[0], told[1], told[2])
		}
	}
}

// medians are those of n samples of each text, in turn.
func medians(n int, ask func(text string), texts ...string) []time.Duration {
	took := make([][]time.Duration, len(texts))
	for range n {
		for i, text := range texts {
			began := time.Now()
			ask(text)
			took[i] = append(took[i], time.Since(began))
		}
	}
	medians := make([]time.Duration, len(texts))
	for i := range took {
		slices.Sort(took[i])
		medians[i] = took[i][n/2]
	}
	return medians
}
