package limits

import (
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// patience bounds waits for what the server does by itself.
const patience = 30 * time.Second

// wantNames checks that an answer has exactly these fields.
func wantNames(t *testing.T, what string, data fields, names ...string) {
	t.Helper()
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
		if _, found := data[name]; !found {
			t.Errorf("%s: %s is missing", what, name)
		}
	}
	for name := range data {
		if !wanted[name] {
			t.Errorf("%s: %s is none of its fields", what, name)
		}
	}
}

// wantBetween checks a number that the clock has a part in.
func wantBetween(t *testing.T, data fields, name string, low, high int) int {
	t.Helper()
	n := surface.Number(t, data, name)
	if n < low || n > high {
		t.Errorf("%s is %d, wanted %d to %d", name, n, low, high)
	}
	return n
}

// sleepUntil waits for a moment of the server's clock, which is this one.
func sleepUntil(at time.Time) { time.Sleep(time.Until(at)) }

// eventually waits for what the server brings about by itself.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	harness.Eventually(t, patience, what, try)
}
