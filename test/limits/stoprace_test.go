package limits

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/surface"
)

// race is a stop amid requests that make keys or versions, by when these were answered.
type race struct {
	before  []key // answered before the stop was sent
	between []key
	after   []key // asked for after the stop's answer
}

// raced sends requests one after the other from before the stop until after its answer. The stop waits for the first
// answer if late, and for no more than a moment otherwise.
func (e engine) raced(t *testing.T, stop string, late bool, mint func() (key, bool)) (r race) {
	t.Helper()
	type result struct {
		key
		began, answered time.Time
	}
	var results []result
	stopped, done, first := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for round, over := 0, 0; over < 2; round++ {
			select {
			case <-stopped:
				over++
			default:
			}
			began := time.Now()
			if k, ok := mint(); ok {
				results = append(results, result{k, began, time.Now()})
			}
			if round == 0 {
				close(first)
			}
		}
	}()
	if late {
		<-first
	} else {
		time.Sleep(time.Duration(rand.IntN(5)) * time.Millisecond)
	}
	sent := time.Now()
	e.Write(t, stop, nil)
	answered := time.Now()
	close(stopped)
	<-done
	for _, k := range results {
		switch {
		case k.answered.Before(sent):
			r.before = append(r.before, k.key)
		case k.began.After(answered):
			r.after = append(r.after, k.key)
		default:
			r.between = append(r.between, k.key)
		}
	}
	return r
}

// minted is a request that a stop may refuse, and nothing else.
func (e engine) minted(t *testing.T, path string, body fields) (key, bool) {
	t.Helper()
	r := e.try(t, path, body)
	switch r.Status {
	case 200:
		return surface.KeyOf(t, r), true
	case 409:
		return key{}, false
	default:
		t.Errorf("%s beside a stop: %d: %s", path, r.Status, r.Raw)
		return key{}, false
	}
}

func (e engine) wantAll(t *testing.T, what string, keys []key, codes ...string) {
	t.Helper()
	for _, k := range keys {
		code, _ := e.Verify(t, k.Text)["code"].(string)
		found := false
		for _, c := range codes {
			found = found || c == code
		}
		if !found {
			t.Errorf("%s is %s, wanted %v", what, code, codes)
		}
	}
}

// TestAStopLeavesNothingAliveThatWasAnsweredBeforeIt races 500 stops, each with what makes keys and versions.
func TestAStopLeavesNothingAliveThatWasAnsweredBeforeIt(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, nil)
	const rounds = 500
	var counts [3][rounds]int
	together(rounds, func(i int) {
		role, owner := e.web, fmt.Sprintf("%s-%d", e.web, i)
		stop := "stop/owners/" + owner
		if i%5 == 0 {
			role = owner
			e.setRoleNamed(t, role, fields{"max_delegation_depth": 1})
			stop = "stop/roles/" + role
		}
		first := e.issueOf(t, role, fields{"owner": owner})
		makers := []func() (key, bool){
			func() (key, bool) { return e.minted(t, "issue/"+role, fields{"owner": owner}) },
			func() (key, bool) { return e.minted(t, "rotate/"+first.ID, nil) },
			func() (key, bool) { return e.minted(t, "delegate", fields{"key": first.Text}) },
		}
		r := e.raced(t, stop, i%2 == 0, makers[i%3])
		e.wantAll(t, "what was answered before the stop", append(r.before, first), "revoked")
		if i%3 == 0 {
			e.wantAll(t, "what was answered beside the stop", r.between, "revoked", "valid")
			e.wantAll(t, "what was asked for after the stop", r.after, "valid")
		} else {
			// A version or a child of a key that was stopped is none of what may live.
			e.wantAll(t, "what was made of a stopped key", append(r.between, r.after...), "revoked")
			if len(r.after) > 0 {
				t.Errorf("a stopped key made %d more", len(r.after))
			}
		}
		counts[0][i], counts[1][i], counts[2][i] = len(r.before), len(r.between), len(r.after)
	})
	var sums [3]int
	for when := range counts {
		for _, n := range counts[when] {
			sums[when] += n
		}
		if sums[when] == 0 {
			t.Errorf("the rounds raced nothing: %v", sums)
		}
	}
	t.Logf("%d keys before, %d beside and %d after %d stops", sums[0], sums[1], sums[2], rounds)
}
