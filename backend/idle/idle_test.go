package idle_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/record"
)

var errDisk = errors.New("disk trouble")

const born, timeout = record.Time(1000), record.Seconds(200)

// node is where an idle end is found, with a clock that was wrong between from and
// until.
type node struct {
	now          record.Time
	from, until  time.Duration
	used         record.Time
	gaps         idle.Gaps
	asked        int // how often the gaps were
	uses, losses error
	standby      bool
}

func (n *node) Now() record.Time                      { return n.now }
func (n *node) Elapsed() time.Duration                { return time.Duration(n.now) * time.Second }
func (n *node) Undone(began, seen time.Duration) bool { return began < n.from && seen < n.until }
func (n *node) Uses(context.Context, string) (record.Uses, error) {
	return record.Uses{Last: n.used}, n.uses
}
func (n *node) UsageGaps(_ context.Context, of record.Time) (idle.Gaps, error) {
	if n.asked++; of != born {
		return nil, fmt.Errorf("it was born at %d", of)
	}
	return n.gaps, n.losses
}

func (n *node) ends() *idle.Ends {
	n.now = born
	return idle.New(n, n, func() bool { return !n.standby }, n)
}

func key(created record.Time) *record.Key {
	return &record.Key{ID: "a", CreatedAt: created, Versions: []record.Version{{Number: 1, ExpiresAt: 90_000}}}
}

// under is a role with an idle_timeout.
func under(timeout record.Seconds) *record.Role { return &record.Role{IdleTimeout: timeout} }

func TestWhenAnUnusedKeyEnds(t *testing.T) {
	t.Parallel()
	crash := idle.Gaps{{From: born - 30, Before: born}}
	for name, tc := range map[string]struct {
		role          *record.Role
		gaps          idle.Gaps
		created, used record.Time
		want          record.Time
	}{
		"never under a role without a timeout":      {under(0), nil, 400, 900, 0},
		"never without a role":                      {nil, nil, 400, 900, 0},
		"since its creation when it was never used": {under(timeout), nil, 400, 0, 600},
		"a use before its creation does not help":   {under(timeout), nil, 400, 300, 600},
		"since its last use":                        {under(timeout), nil, 400, 900, 1100},
		"after a crash, up to it":                   {under(timeout), crash, 400, 900, 1200},
		"after a crash, a new key up to it":         {under(timeout), crash, 980, 0, 1200},
		"after a crash, not if it was idle before":  {under(timeout), crash, 400, 700, 900},
		"after a crash, by a use of this process":   {under(timeout), crash, 400, 1100, 1300},
	} {
		n := &node{gaps: tc.gaps, used: tc.used}
		e := n.ends()
		for range 2 {
			if at, told, err := e.Of(t.Context(), key(tc.created), tc.role); at != tc.want || told || err != nil {
				t.Errorf("%s: %d, %v, %v, want %d", name, at, told, err, tc.want)
			}
		}
		if n.asked > 1 {
			t.Errorf("%s: what was lost is asked for %d times", name, n.asked)
		}
	}
}

func TestWhatIsNotKnownIsAnErrorAndAskedAgain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		broken, whole node
		want          error
	}{
		"a standby":              {node{standby: true}, node{}, record.ErrElsewhere},
		"trouble with uses":      {node{uses: errDisk}, node{}, errDisk},
		"trouble with what lost": {node{losses: errDisk}, node{}, errDisk},
	} {
		n := &tc.broken
		e := n.ends()
		if _, _, err := e.Of(t.Context(), key(900), under(timeout)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
		if at, _, err := e.Of(t.Context(), key(900), under(0)); at != 0 || err != nil {
			t.Errorf("%s, without a timeout: %d, %v", name, at, err)
		}
		*n = tc.whole
		n.now = born
		if at, _, err := e.Of(t.Context(), key(900), under(timeout)); at != 1100 || err != nil {
			t.Errorf("after %s: %d, %v", name, at, err)
		}
	}
}

// told is a node at 1100 that found key a idle, under a timeout that was raised then.
func told() (*node, *idle.Ends) {
	n := &node{used: 900}
	e := n.ends()
	n.now = 1100
	e.Note(key(400), record.Standing{Role: under(timeout), IdleEnd: 1100}, n.now)
	return n, e
}

func TestAnEndThatWasToldStandsUntilTheKeyWasUsedAfterAll(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do    func(n *node, e *idle.Ends)
		stays bool
	}{
		"under a longer timeout":              {func(*node, *idle.Ends) {}, true},
		"by a clock that is behind":           {func(n *node, _ *idle.Ends) { n.now = 950 }, true},
		"by the use that it was counted from": {func(n *node, _ *idle.Ends) { n.used = 900 }, true},
		"used by a slower request":            {func(n *node, _ *idle.Ends) { n.used = 1099 }, false},
		"seen by a time that never was":       {func(n *node, _ *idle.Ends) { n.from, n.until = 1000*time.Second, 1200*time.Second }, false},
		"begun under that time as well":       {func(n *node, _ *idle.Ends) { n.from, n.until = 900*time.Second, 1200*time.Second }, true},
		"that its record says":                {func(_ *node, e *idle.Ends) { e.Done(e.Waiting()[0]) }, false},
		"that another one followed": {func(n *node, e *idle.Ends) {
			before := e.Waiting()[0]
			n.used, n.now = 1099, 1299
			e.Note(key(400), record.Standing{Role: under(timeout), IdleEnd: 1299}, n.now)
			e.Done(before)
		}, true},
		"that a slower look preceded": {func(n *node, e *idle.Ends) {
			n.used, n.now = 1099, 1299
			e.Note(key(400), record.Standing{Role: under(timeout), IdleEnd: 1299}, n.now)
			e.Note(key(400), record.Standing{Role: under(timeout), IdleEnd: 1100}, n.now)
		}, true},
	} {
		for _, raised := range []*record.Role{under(5000), under(0), nil} {
			n, e := told()
			tc.do(n, e)
			if _, stays, err := e.Of(t.Context(), key(400), raised); stays != tc.stays || err != nil {
				t.Errorf("%s, under %v: %v, %v", name, raised, stays, err)
			}
			if waiting := e.Waiting(); len(waiting) > 0 {
				if stands, err := e.Stands(t.Context(), waiting[0]); stands != tc.stays || err != nil {
					t.Errorf("%s: to be written %v, %v", name, stands, err)
				}
			} else if tc.stays {
				t.Errorf("%s: nothing waits to be written", name)
			}
		}
	}
}

func TestATroubleWithUsesLeavesAnEndOpen(t *testing.T) {
	t.Parallel()
	n, e := told()
	n.uses = errDisk
	if stands, err := e.Stands(t.Context(), e.Waiting()[0]); stands || !errors.Is(err, errDisk) {
		t.Errorf("it stands: %v, %v", stands, err)
	}
}

func TestOnlyWhatEndsByNothingElseIsMarked(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do   func(k *record.Key, s *record.Standing)
		want int
	}{
		"idle":             {func(*record.Key, *record.Standing) {}, 1},
		"not idle yet":     {func(_ *record.Key, s *record.Standing) { s.IdleEnd++ }, 0},
		"of no timeout":    {func(_ *record.Key, s *record.Standing) { s.IdleEnd = 0 }, 0},
		"marked already":   {func(_ *record.Key, s *record.Standing) { s.Seen.Idle = true }, 0},
		"revoked":          {func(k *record.Key, _ *record.Standing) { k.RevokedAt = 1 }, 0},
		"expired":          {func(k *record.Key, _ *record.Standing) { k.Versions[0].ExpiresAt = 1100 }, 0},
		"ended by a stop":  {func(_ *record.Key, s *record.Standing) { s.Owner = stopped }, 0},
		"only disabled":    {func(k *record.Key, _ *record.Standing) { k.Disabled = true }, 1},
		"below a dead one": {func(k *record.Key, s *record.Standing) { k.Parent, s.AncestorsEnded = "b", true }, 1},
	} {
		n := &node{}
		e := n.ends()
		n.now = 1100
		k, s := key(400), record.Standing{Role: under(timeout), IdleEnd: 1100}
		tc.do(k, &s)
		e.Note(k, s, n.now)
		if got := len(e.Waiting()); got != tc.want {
			t.Errorf("%s: %d marks", name, got)
		}
		select {
		case <-e.Marked():
			if tc.want == 0 {
				t.Errorf("%s: it is told", name)
			}
		default:
			if tc.want == 1 {
				t.Errorf("%s: it is not told", name)
			}
		}
	}
}

var stopped = record.Owner{Stop: record.Stop{Generation: 1, Halts: []record.Halt{{Generation: 1, At: 500}}}}

func TestMarksAreBounded(t *testing.T) {
	t.Parallel()
	n := &node{}
	e := n.ends()
	idle.Confine(e, 100)
	s := record.Standing{Role: under(timeout), IdleEnd: 1000}
	for i := range 120 {
		e.Note(&record.Key{ID: fmt.Sprint(i), Versions: key(0).Versions}, s, n.now)
	}
	if got := len(e.Waiting()); got != 100 {
		t.Errorf("%d wait", got)
	}
	e.Done(e.Waiting()[0])
	for _, id := range []string{"late", "late", "later"} {
		e.Note(&record.Key{ID: id, Versions: key(0).Versions}, s, n.now)
	}
	for id, want := range map[string]bool{"late": true, "later": false, "119": false} {
		if _, told, err := e.Of(t.Context(), &record.Key{ID: id}, nil); told != want || err != nil {
			t.Errorf("%s: %v, %v", id, told, err)
		}
	}
}
