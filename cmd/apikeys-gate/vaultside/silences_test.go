package vaultside

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestSilencesOfLongAgoMakeRoom names more roles than silences are told apart.
func TestSilencesOfLongAgoMakeRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s silences
		said := func(of string) (n int) {
			for i := range 2 * maxSilences {
				if s.due(fmt.Sprint(of, i)) {
					n++
				}
			}
			return n
		}
		if n := said("a"); n != maxSilences {
			t.Errorf("at once it is said of %d", n)
		}
		time.Sleep(time.Minute)
		if n := said("b"); n != maxSilences {
			t.Errorf("a minute later it is said of %d others", n)
		}
		if s.due("b0") || len(s.said) > maxSilences {
			t.Errorf("it is said twice, and %d are held", len(s.said))
		}
	})
}
