package lifecycle

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestALeasedVersionIsDatedInAYoungSecond(t *testing.T) {
	for name, tc := range map[string]struct{ at, wait time.Duration }{
		"at its beginning":        {0, 0},
		"in its middle":           {500 * time.Millisecond, 0},
		"just before it is late":  {lateInSecond - time.Nanosecond, 0},
		"when it is late":         {lateInSecond, 100 * time.Millisecond},
		"in its last microsecond": {time.Second - time.Microsecond, time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(tc.at)
				began := time.Now()
				awaitFreshSecond(t.Context())
				if took := time.Since(began); took != tc.wait {
					t.Errorf("it waited for %s", took)
				}
			})
		})
	}
}

func TestWhoHangsUpDoesNotWaitForTheSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(lateInSecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		began := time.Now()
		awaitFreshSecond(ctx)
		if took := time.Since(began); took != time.Millisecond {
			t.Errorf("it waited for %s", took)
		}
	})
}
