package watch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/watch"
)

// roles are those of a mount.
type roles struct {
	names  []string
	during func()
	err    error
}

func (r *roles) Roles(context.Context) ([]string, error) {
	names := r.names
	if r.during != nil {
		r.during()
	}
	return names, r.err
}

func text(t *testing.T, m *watch.Metrics) string {
	t.Helper()
	shown, _, err := m.Text(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(shown)
}

func proven(role string) *verify.Observation {
	return &verify.Observation{Decision: verify.Decision{Code: verify.Valid, Description: verify.Description{Key: record.Key{Role: role}}}}
}

func count(role string, n int) string {
	return fmt.Sprintf("apikeys_decisions_total{code=\"valid\",role=%q} %d\n", role, n)
}

func TestARoleHasASeriesForAsLongAsThereIsOne(t *testing.T) {
	t.Parallel()
	there := &roles{names: []string{"gone"}}
	m := watch.NewMetrics(there, func(watch.Tell) {})
	m.Observe(proven("gone")) // before anybody looked
	if got := text(t, m); !strings.Contains(got, count("", 1)) || !strings.Contains(got, count("gone", 0)) {
		t.Error(got)
	}
	m.RoleChanged("new")
	m.Observe(proven("new"))
	m.RoleChanged("new")
	m.Observe(proven("new"))
	there.names = []string{"new"}
	if got := text(t, m); strings.Contains(got, "gone") || !strings.Contains(got, count("new", 2)) {
		t.Error(got)
	}
	m.Observe(proven("gone")) // was decided before it went
	there.err = errors.New("storage is away")
	if got := text(t, m); strings.Contains(got, "gone") || !strings.Contains(got, count("new", 2)) || !strings.Contains(got, count("", 2)) {
		t.Error(got)
	}
}

func TestARoleThatIsWrittenWhileTheyAreLookedUpKeepsItsCounts(t *testing.T) {
	t.Parallel()
	there := &roles{}
	m := watch.NewMetrics(there, func(watch.Tell) {})
	there.during = func() { m.RoleChanged("new"); m.Observe(proven("new")) }
	if got := text(t, m); !strings.Contains(got, count("new", 1)) {
		t.Error(got)
	}
}

func TestNothingIsCountedTwiceOrLostAmongMany(t *testing.T) {
	t.Parallel()
	there := &roles{names: []string{"web"}}
	m := watch.NewMetrics(there, func(watch.Tell) {})
	m.RoleChanged("web")
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 500 {
				m.Observe(proven("web"))
			}
			m.RoleChanged(fmt.Sprint("r", i))
			text(t, m)
		})
	}
	all.Wait()
	if got := text(t, m); !strings.Contains(got, count("web", 2000)) {
		t.Error(got)
	}
}

func TestWhatCouldNotBeDecidedCountsWhereThatIsAFaultOfTheMount(t *testing.T) {
	t.Parallel()
	for why, want := range map[error]string{
		nil:                           "500", // a panic
		errors.New("storage is away"): "500",
		context.DeadlineExceeded:      "500",
		keyhash.ErrBusy:               "503",
		verify.ErrScopesRequired:      "",
		record.ErrElsewhere:           "",
		context.Canceled:              "",
		fmt.Errorf("write: %w", logical.ErrReadOnly): "",
	} {
		m := watch.NewMetrics(&roles{}, func(watch.Tell) {})
		m.Undecided(why)
		shown := text(t, m)
		for _, status := range []string{"500", "503"} {
			n := map[bool]int{true: 1}[status == want]
			if line := fmt.Sprintf("apikeys_undecided_total{http_status=%q} %d\n", status, n); !strings.Contains(shown, line) {
				t.Errorf("after %v there is no %s", why, line)
			}
		}
		if strings.Count(shown, "apikeys_undecided_total{") != 2 {
			t.Error(shown)
		}
	}
}

// A part that tells what is not declared, or not so, is a fault that shows at once.
func TestAFigureThatIsNotDeclaredIsAFault(t *testing.T) {
	t.Parallel()
	for _, tell := range []func(watch.Tell){
		func(tell watch.Tell) { tell("unknown", 1) },
		func(tell watch.Tell) { tell("cache_entries", 1) },
		func(tell watch.Tell) { tell("argon2_slots", 1); tell("argon2_slots", 1) },
	} {
		if shown, _, err := watch.NewMetrics(&roles{}, tell).Text(t.Context()); err == nil {
			t.Errorf("it is %s", shown)
		}
	}
}

func TestToCountADecisionAllocatesNothing(t *testing.T) {
	m := watch.NewMetrics(&roles{}, func(watch.Tell) {})
	m.RoleChanged("web")
	o := proven("web")
	if allocs := testing.AllocsPerRun(100, func() { m.Observe(o) }); allocs != 0 {
		t.Errorf("it allocates %.1f times", allocs)
	}
}
