package paths

import (
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

func TestANewLeaseEndsWithItsRecordHoweverLongTheWriteTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(400 * time.Millisecond)
		made := record.At(time.Now())
		for _, took := range []time.Duration{0, 10 * time.Millisecond, 500 * time.Millisecond, 700 * time.Millisecond, 5 * time.Second} {
			time.Sleep(took)
			end := made.Add(3600)
			ttl := leaseTTL(time.Until(end.Std()))
			if after := time.Now().Add(ttl).Sub(end.Std()); after < 0 || after > time.Second || ttl%time.Second != 0 {
				t.Errorf("%v after its making a lease of %v ends %v after the record", took, ttl, after)
			}
		}
		// Vault takes a lease of no length for one of its default length.
		if ttl := leaseTTL(time.Until(made.Std())); ttl != time.Second {
			t.Errorf("a lease of what has expired meanwhile has %v", ttl)
		}
	})
}
