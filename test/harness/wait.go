package harness

import (
	"fmt"
	"testing"
	"time"
)

// Eventually calls try until it returns nil, and fails the test with its last error after the timeout.
// What says what is waited for.
func Eventually(t testing.TB, timeout time.Duration, what string, try func() error) {
	t.Helper()
	if err := eventually(timeout, what, try); err != nil {
		t.Fatal(err)
	}
}

func eventually(timeout time.Duration, what string, try func() error) error {
	deadline := time.Now().Add(timeout)
	for {
		err := try()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %s: %w", what, timeout, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
