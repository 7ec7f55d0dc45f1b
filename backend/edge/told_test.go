package edge

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// held lets each answer of resolve wait until it is released.
func (w *world) hold() (release func()) {
	gate := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onTold = func(ctx context.Context, _ *wire.Told) error {
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return func() {
		w.mu.Lock()
		w.onTold = nil
		w.mu.Unlock()
		close(gate)
	}
}

// all asks about many texts at once, and counts what was answered.
func (w *world) all(texts []string, change ...func(q *Question)) map[string]int {
	var mu sync.Mutex
	var asking sync.WaitGroup
	answers := map[string]int{}
	for _, text := range texts {
		asking.Go(func() {
			a, err := w.verify(text, change...)
			got := string(a.Code)
			if err != nil {
				got = err.Error()
			}
			mu.Lock()
			answers[got]++
			mu.Unlock()
		})
	}
	asking.Wait()
	return answers
}

func (w *world) wantAll(texts []string, want map[string]int, change ...func(q *Question)) {
	w.t.Helper()
	if got := w.all(texts, change...); fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("it answers %v, want %v", got, want)
	}
}

func TestAnAnswerThatAChangeOvertookIsNotTakenIn(t *testing.T) {
	for name, change := range map[string]func(w *world, id string){
		"a revocation":  func(w *world, id string) { w.revoke(id) },
		"a narrow role": func(w *world, _ string) { w.setRole(func(r *record.Role) { r.Disabled = true }) },
		"a stop":        func(w *world, _ string) { w.stop("acme") },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, Settings{}, func(w *world) {
				id, text := w.issue()
				release := w.hold()
				var got Answer
				var err error
				done := make(chan struct{})
				go func() { defer close(done); got, err = w.verify(text) }()
				synctest.Wait() // the answer is composed and on its way
				change(w, id)
				time.Sleep(100 * time.Millisecond) // the feed is faster
				release()
				<-done
				if err != nil || got.Valid() || got.Code == "invalid" {
					t.Errorf("it answers %s, %v", got.Code, err)
				}
			})
		})
	}
}

func (w *world) setRole(change func(r *record.Role)) {
	w.mu.Lock()
	r := w.roles["web"]
	change(&r)
	w.roles["web"] = r
	w.mu.Unlock()
	w.announce("role:web")
}

func (w *world) stop(owner string) {
	w.mu.Lock()
	o := w.owners[owner]
	o.Raise("", 1, "")
	w.owners[owner] = o
	w.mu.Unlock()
	w.announce("owner:" + owner)
}

// Whoever answers by what was so before is not asked: it is waited for another.
func TestAnAnswerThatIsBehindIsSilence(t *testing.T) {
	for name, cursor := range map[string]wire.Cursor{
		"in the feed":           {Term: 7, Suffix: suffix},
		"of an earlier term":    {Term: 6, Suffix: suffix, Sequence: 99},
		"of the term's another": {Term: 7, Suffix: "1111111111111111", Sequence: 99},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, Settings{}, func(w *world) {
				id, text := w.issue()
				w.revoke(id)
				time.Sleep(100 * time.Millisecond)
				w.mu.Lock()
				w.onTold = func(_ context.Context, a *wire.Told) error {
					a.Cursor = cursor.String()
					if k := a.Records[id]; k != nil {
						k.RevokedAt = 0
					}
					return nil
				}
				w.mu.Unlock()
				w.want(text, "stale")
				forged := w.text(apikeyID(), 1)
				w.want(forged, "stale")
				w.mu.Lock()
				w.onTold = nil
				w.mu.Unlock()
				w.want(text, "revoked")
				w.want(forged, "invalid")
			})
		})
	}
}

func TestWhatChangedIsAskedForOnceForAllWhoWait(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		var texts []string
		for range 100 {
			_, text := w.issue()
			w.want(text, "valid")
			texts = append(texts, text)
		}
		for _, change := range []string{"role:web", "owner:acme"} {
			w.announce(change)
			time.Sleep(100 * time.Millisecond)
			w.vault.calls()
			release := w.hold()
			go func() { synctest.Wait(); release() }()
			w.wantAll(texts, map[string]int{"valid": 100})
			w.wantCalls(1)
		}
		w.announce("planet:mars") // of which a newer engine tells: whatever it is
		time.Sleep(100 * time.Millisecond)
		w.wantAll(texts, map[string]int{"valid": 100})
		if asked := w.vault.calls(); len(asked) == 0 || len(asked[0].Keys) != 0 {
			t.Errorf("what was proven was asked again: %v", describe(asked))
		}
	})
}

func TestARefusalThatAChangeOvertookIsNotRemembered(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		id, _ := w.issue()
		next := w.text(id, 2)
		release := w.hold()
		go func() { _, _ = w.verify(next) }()
		synctest.Wait() // it is refused, and that is on its way
		w.change(id, func(k *record.Key) {
			v := k.Versions[0]
			v.Number = 2
			k.Versions = append([]record.Version{v}, k.Versions...)
		})
		time.Sleep(100 * time.Millisecond)
		release()
		synctest.Wait()
		w.want(next, "valid")
	})
}
