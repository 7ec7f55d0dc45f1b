package main

import (
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/edge"
)

func TestHowAGateIsInAWord(t *testing.T) {
	t.Parallel()
	lacks := []string{"gate/resolve/web"}
	for name, tc := range map[string]struct {
		status edge.Status
		want   condition
	}{
		"polls that wait":                         {edge.Status{Ready: true, Age: 2 * time.Second}, fresh},
		"a poll that is overdue":                  {edge.Status{Ready: true, Age: 4 * time.Second}, cutOff},
		"a path that is denied":                   {edge.Status{Ready: true, Age: time.Second, Denied: lacks}, denied},
		"the feed that is denied":                 {edge.Status{Ready: true, Age: 4 * time.Second, Denied: lacks}, denied},
		"a grace":                                 {edge.Status{Ready: true, Degraded: true, Age: 11 * time.Second}, stale},
		"a grace, whatever is denied":             {edge.Status{Ready: true, Degraded: true, Age: 11 * time.Second, Denied: lacks}, stale},
		"knowledge that is too old":               {edge.Status{Age: 11 * time.Second}, closed},
		"knowledge that is too old, for a denial": {edge.Status{Age: 11 * time.Second, Denied: lacks}, closed},
		"nothing known yet":                       {edge.Status{}, closed},
	} {
		if got := conditionOf(&tc.status, 10*time.Second); got != tc.want {
			t.Errorf("%s is %s", name, got)
		}
	}
	if got := conditionOf(&edge.Status{Ready: true, Age: 1700 * time.Millisecond}, 3*time.Second); got != cutOff {
		t.Errorf("half of a short max_staleness is %s", got)
	}
}
