package limits

import (
	"sync"
	"testing"

	"vault-plugin-secrets-apikeys/test/surface"
)

// key is what issue, rotate or delegate answered with.
type key = surface.Key

// issue mints a key of the test's role.
func (e engine) issue(t *testing.T, body fields) key {
	t.Helper()
	return e.issueOf(t, e.web, body)
}

func (e engine) issueOf(t *testing.T, role string, body fields) key {
	t.Helper()
	return e.Minted(t, "issue/"+role, body)
}

func (e engine) rotate(t *testing.T, k key, body fields) key {
	t.Helper()
	return e.Minted(t, "rotate/"+k.ID, body)
}

// delegate makes a child of a key.
func (e engine) delegate(t *testing.T, parent key, more fields) key {
	t.Helper()
	return e.Minted(t, "delegate", surface.With(fields{"key": parent.Text}, more))
}

// change updates a key.
func (e engine) change(t *testing.T, k key, body fields) fields {
	t.Helper()
	return e.Write(t, "keys/"+k.ID, body)
}

// batch verifies many keys in one call and answers the results.
func (e engine) batch(t *testing.T, path string, items ...any) (results []fields) {
	t.Helper()
	list, _ := e.Write(t, path, fields{"batch_input": items})["batch_results"].([]any)
	for _, result := range list {
		r, _ := result.(map[string]any)
		results = append(results, r)
	}
	if len(results) != len(items) {
		t.Fatalf("%d items are answered with %d results", len(items), len(results))
	}
	return results
}

// valid verifies a key so many times in one call, and answers how often it was valid.
func (e engine) valid(t *testing.T, text string, times int) (valid int) {
	t.Helper()
	for _, r := range e.batch(t, "verify", repeat(fields{"key": text}, times)...) {
		if r["valid"] == true {
			valid++
		}
	}
	return valid
}

func repeat(item any, times int) []any {
	items := make([]any, times)
	for i := range items {
		items[i] = item
	}
	return items
}

// together runs so many functions at once, by at most 32 at a time.
func together(times int, run func(i int)) {
	var wait sync.WaitGroup
	places := make(chan struct{}, 32)
	for i := range times {
		wait.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			run(i)
		})
	}
	wait.Wait()
}
