//go:build !race

package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// overWire is a vault whose answers come as the daemon's do: decoded from JSON, so that
// no two of them share a text.
type overWire struct{ *vault }

func (o overWire) Resolve(ctx context.Context, role string, ask wire.Ask) (told wire.Told, err error) {
	a, err := o.vault.Resolve(ctx, role, ask)
	if err != nil {
		return told, err
	}
	raw, err := json.Marshal(a)
	if err != nil {
		return told, err
	}
	return told, json.Unmarshal(raw, &told)
}

// TestAKeyThatIsHeldTakesLittleMemory counts the heap, which is no matter of time. It runs
// alone, so that nobody else's counts, and without the race detector, which takes its part.
func TestAKeyThatIsHeldTakesLittleMemory(t *testing.T) {
	const keys, most = 8192, 1331 // 1.3 KiB
	for name, change := range map[string]func(i int, k *record.Key){
		"many of an owner, with the same metadata": func(i int, k *record.Key) {
			k.Owner, k.Metadata = fmt.Sprint("owner-", i%100), map[string]string{"env": "live"}
		},
		"an owner each": func(i int, k *record.Key) { k.Owner = fmt.Sprint("owner-", i) },
		"a name and metadata each": func(i int, k *record.Key) {
			k.Name, k.Metadata = fmt.Sprint("key ", i), map[string]string{"customer": fmt.Sprint(i)}
		},
	} {
		v := newVault(t)
		texts := make([]string, keys)
		for i := range texts {
			_, texts[i] = v.issue(func(k *record.Key) { k.Scopes = []string{"orders:*", "users:read"}; change(i, k) })
		}
		m := New(overWire{v}, Settings{Gate: "edge-1", Roles: []string{"web"}, ColdTimeout: time.Minute}, System())
		end := running(m)
		before := inUse()
		learn(t, m, texts)
		_ = m.reports.Flush(t.Context())
		v.set(func() { v.asked, v.doors, v.known, v.polls = nil, nil, nil, nil })
		each := (inUse() - before) / keys
		if held := m.held.keys.Len(); held < keys*9/10 {
			t.Fatalf("of %d keys %d are held", keys, held)
		}
		if each > most {
			t.Errorf("%s: a key takes %.0f bytes", name, each)
		} else {
			t.Logf("%s: a key takes %.0f bytes", name, each)
		}
		end()
	}
}

// running runs a mirror until its end.
func running(m *Mirror) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = m.Run(ctx) }()
	for !m.Status().Ready {
		time.Sleep(time.Millisecond)
	}
	return func() { cancel(); <-ended }
}

// inUse is the heap that is in use.
func inUse() float64 {
	for range 3 { // what has a finalizer goes with the second
		runtime.GC()
	}
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return float64(s.HeapAlloc)
}

func learn(t *testing.T, m *Mirror, texts []string) {
	t.Helper()
	const callers = 64
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for i := c; i < len(texts); i += callers {
				q := Question{Request: verify.Request{Key: apikey.Present(texts[i]), Role: "web", Scopes: []string{"orders:read"}, Cost: 1}}
				if a, err := m.Verify(t.Context(), q); err != nil || !a.Valid() {
					t.Errorf("a good key is %q, %v", a.Code, err)
				}
			}
		})
	}
	all.Wait()
}
