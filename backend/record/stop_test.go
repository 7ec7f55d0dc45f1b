package record_test

import (
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

func TestEachStopKeepsItsOwnTimeAndReason(t *testing.T) {
	t.Parallel()
	var s record.Stop
	if h := s.EndOf(0); h != nil || s.Last() != (record.Halt{}) {
		t.Errorf("before any stop: %v", h)
	}
	s.Raise("first", 100, "")
	held := s // as a cache holds it
	s.Raise("second", 200, "")
	for generation, want := range []*record.Halt{{Generation: 1, At: 100, Reason: "first"}, {Generation: 2, At: 200, Reason: "second"}, nil} {
		if got := s.EndOf(uint64(generation)); (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("generation %d ended with %v", generation, got)
		}
	}
	if h := held.EndOf(1); h != nil || len(held.Halts) != 1 {
		t.Errorf("a copy of before changed: %v", held)
	}
}

// TestARepeatedStopMovesNoEnd: neither its own kind nor the other's.
func TestARepeatedStopMovesNoEnd(t *testing.T) {
	t.Parallel()
	k := keyAt(1000)
	standing := record.Standing{Role: &record.Role{UID: k.RoleUID}}
	standing.Role.Raise("", 900, "")
	k.RoleGeneration = standing.Role.Generation
	standing.Owner.Raise("leaked", 1100, "")
	for i := range record.Time(10) {
		standing.Owner.Raise("again", 1200+i, "")
		standing.Role.Raise("the role, too", 1200+i, "")
		at, why := k.Revocation(standing)
		if at != 1100 || why != "leaked" || k.EndedAt(standing, 2000) != 1100 {
			t.Fatalf("after %d more stops it ended at %d, %q", i+1, at, why)
		}
	}
	k.RevokedAt, k.RevokeReason = 1300, "by a revocation that could not know"
	if at, why := k.Revocation(standing); at != 1100 || why != "leaked" {
		t.Errorf("revoked later, it ended at %d, %q", at, why)
	}
}

// TestStopsAreBoundedAndNoEndMovesBack: what is dropped was soonest followed by
// another, so an end moves by little, and never to an earlier time.
func TestStopsAreBoundedAndNoEndMovesBack(t *testing.T) {
	t.Parallel()
	var s record.Stop
	times := map[uint64]record.Time{}
	now := record.Time(1000)
	for i := range uint64(200) {
		times[i] = now
		s.Raise(strings.Repeat("r", 256), now, "")
		if i%20 == 19 {
			now += 100_000
		} else {
			now++ // a script that repeats itself
		}
		for generation, at := range times {
			got := s.EndOf(generation)
			if got == nil || got.At < at || got.At > at+100 {
				t.Fatalf("after %d stops, generation %d ended at %v, and did at %d", i+1, generation, got, at)
			}
		}
	}
	if len(s.Halts) != 16 || s.Generation != 200 || s.Last().Generation != 200 || s.EndOf(200) != nil {
		t.Errorf("%d are kept of %d", len(s.Halts), s.Generation)
	}
}

func TestAStopAfterALossEndsAllThatWasIssued(t *testing.T) {
	t.Parallel()
	lost := record.AfterLoss(1000)
	for range 1000 { // more than anybody stops in a second
		lost.Raise("", 1000, "")
	}
	again := record.AfterLoss(1001)
	again.Raise("", 1001, "")
	if again.EndOf(lost.Generation) == nil || again.EndOf(3) == nil || again.EndOf(again.Generation) != nil {
		t.Errorf("%d after %d", again.Generation, lost.Generation)
	}
	if s := (record.Stop{Generation: 3}); s.EndOf(2) == nil || (record.Owner{Stop: s}).Intact() {
		t.Error("a stop without its mark ends nothing, or is whole")
	}
}

// Another stop may come between the two runs of a request.
func TestARequestThatIsRunAgainStopsOnce(t *testing.T) {
	t.Parallel()
	var s record.Stop
	for i, request := range []string{"a", "b", "a", "b", "", ""} {
		s.Raise("", record.Time(100+i), request)
	}
	if s.Generation != 4 || len(s.Halts) != 4 {
		t.Errorf("it is %+v", s)
	}
}
