// Package counters kills a mount, ends it in order and breaks its storage, and holds what it counts against what it
// answered.
package counters

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
)

// interval is usage_flush_interval's default.
const interval = 30 * time.Second

var errDisk = errors.New("the disk is in trouble")

// walk is a mount whose keys are asked about at random, and what it answered.
type walk struct {
	*testing.T
	m    *mount.Mount
	rand *rand.Rand
	keys []mount.Answer

	answered map[string]int         // by the path that counts it
	times    map[string][]time.Time // since the last kill
	shown    map[string]int
}

func begin(t *testing.T, seed uint64) *walk {
	w := &walk{T: t, m: mount.New(t), rand: rand.New(rand.NewPCG(seed, 11)), answered: map[string]int{}, times: map[string][]time.Time{}, shown: map[string]int{}}
	w.m.Faulty = true // its storage is broken, and looked at here
	w.m.Must("roles/web", map[string]any{"generate_lease": false, "ttl": "20d", "max_delegation_depth": 1})
	for _, data := range []map[string]any{{"owner": "acme"}, {"owner": "acme"}, {"owner": "umbrella"}, nil} {
		w.keys = append(w.keys, w.m.Must("issue/web", data))
	}
	w.keys = append(w.keys, w.m.Must("delegate", map[string]any{"key": w.keys[0].Str("key")}))
	w.m.Must("revoke/"+w.keys[1].Str("key_id"), nil)
	return w
}

// ask has a key verified, or what is none.
func (w *walk) ask() {
	w.Helper()
	k := w.keys[w.rand.IntN(len(w.keys))]
	path, text := "verify", k.Str("key")
	switch w.rand.IntN(6) {
	case 0:
		text = "acme_live_nonsense"
	case 1:
		path = "verify/another"
	}
	a := w.m.Must(path, map[string]any{"key": text, "client_ip": "10.1.2.3"})
	w.count("usage")
	if a.Str("code") != "invalid" {
		w.count("usage/keys/" + k.Str("key_id"))
		if owner := k.Str("owner"); owner != "" {
			w.count("usage/owners/" + owner)
		}
	}
}

func (w *walk) count(path string) {
	w.answered[path]++
	w.times[path] = append(w.times[path], time.Now())
}

// read is how many decisions a mount counts under a path.
func (w *walk) read(path string) int {
	w.Helper()
	a := w.m.Read(path)
	if !a.OK() {
		w.Fatalf("%s: %d %s", path, a.Status, a.Text)
	}
	n, days, codes := int(a.Data["verifications"].(float64)), 0, 0
	for _, day := range a.Data["daily"].([]any) {
		days += int(day.(map[string]any)["verifications"].(float64))
	}
	for _, of := range a.Data["by_code"].(map[string]any) {
		codes += int(of.(float64))
	}
	if days != n || codes != n {
		w.Fatalf("%s has %d decisions, %d by day, %d by code", path, n, days, codes)
	}
	return n
}

// exact holds that all that was answered is counted, and once.
func (w *walk) exact(when string) {
	w.Helper()
	for path, n := range w.answered {
		if got := w.read(path); got != n {
			w.Fatalf("%s, %s has %d decisions of %d", when, path, got, n)
		}
		w.shown[path] = n
	}
}

// kill begins the next process on what storage holds. It counts what had been flushed: all but what came within the
// last interval, and never more than was answered.
func (w *walk) kill() {
	w.Helper()
	killed, at := w.m, time.Now()
	w.m = &mount.Mount{T: w.T, Storage: killed.Storage.Clone(), System: killed.System, Log: killed.Log, Secrets: killed.Secrets, Ctx: context.Background(), Faulty: true}
	killed.Backend.Cleanup(context.Background()) // on storage that is nobody's any more
	w.m.Open()
	for path, n := range w.answered {
		late := 0
		for _, t := range w.times[path] {
			if at.Sub(t) <= interval+time.Second {
				late++
			}
		}
		got := w.read(path)
		if got < n-late || got > n {
			w.Fatalf("after a kill %s has %d decisions of %d, of which %d came within the last interval", path, got, n, late)
		}
		w.answered[path], w.shown[path], w.times[path] = got, got, nil
	}
}

func TestCountersThroughFiftyKills(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, 1)
		defer func() { w.m.End() }()
		for kill := range 50 {
			for range w.rand.IntN(30) {
				w.ask()
				time.Sleep(time.Duration(w.rand.IntN(8000)) * time.Millisecond)
			}
			w.exact(fmt.Sprint("before kill ", kill))
			switch w.rand.IntN(6) {
			case 0:
				w.m.Restart()
				w.exact("after an end in order")
			case 1:
				w.m.Tidy()
				w.exact("after tidy")
			}
			w.kill()
			for _, p := range w.m.Problems() {
				if !p.Leftover {
					t.Fatalf("storage: %v", p)
				}
			}
		}
	})
}

// Whatever storage does with the writes of flushes, this process counts all once, and so does the next.
func TestAFlushWhoseWriteFailedCountsOnce(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]func(memory.Fail) memory.Intercept{"before it took effect": memory.Before, "after it": memory.After} {
		for _, readBack := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				w := begin(t, 2)
				defer func() { w.m.End() }()
				w.m.Restart()
				w.ask()
				w.m.Storage.Intercept(hook(func(method, path string) error {
					isDelta := memory.On(method, "usage/delta/", errDisk)(method, path)
					if method == "put" || method == "get" && !readBack {
						return isDelta
					}
					return nil
				}))
				for range 20 {
					time.Sleep(interval / 3)
					w.ask()
				}
				w.exact(name)
				w.m.Storage.Intercept(nil)
				time.Sleep(2 * interval)
				w.exact(name + ", since it works again")
				for range 3 {
					w.kill()
				}
				w.m.Tidy()
				w.m.Restart()
				w.exact(name + ", in another process")
				if n := w.read("usage"); n != 21 {
					t.Errorf("%s: %d decisions of 21 are counted", name, n)
				}
			})
		}
	}
}

// The month that a customer is shown, and what becomes of an owner and of a key that are gone.
func TestAMonthOfACustomer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.FlushRarely()
		m.Must("roles/web", map[string]any{"generate_lease": false, "ttl": "29d"})
		k := m.Must("issue/web", map[string]any{"owner": "acme"})
		path := "usage/keys/" + k.Str("key_id")
		if a := m.Read(path); a.Data["verifications"] != 0.0 || len(a.Data["daily"].([]any)) != 0 || a.Str("first_used_at") != "" {
			t.Errorf("of a key that was never used it tells %v", a.Data)
		}
		began := time.Now()
		for day := range 40 {
			if day%2 == 0 {
				m.Code(k.Str("key"))
			}
			time.Sleep(24 * time.Hour)
		}
		hours := m.Read("usage").Data["hourly"].([]any)
		if len(hours) != 48 || hours[47].(map[string]any)["start"] != time.Now().UTC().Truncate(time.Hour).Format(time.RFC3339) {
			t.Errorf("hours are %v", hours)
		}
		for path, days := range map[string]int{path: 31, "usage/owners/acme": 31, "usage": 41} {
			a := m.Read(path)
			daily := a.Data["daily"].([]any)
			if a.Data["verifications"] != 20.0 || len(daily) != days || a.Str("first_used_at") != began.UTC().Format(time.RFC3339) {
				t.Errorf("%s tells %v, by %d days", path, a.Data, len(daily))
			}
			last := daily[days-1].(map[string]any)
			if want := time.Now().UTC().Truncate(24 * time.Hour).Format(time.RFC3339); last["start"] != want || last["verifications"] != 0.0 {
				t.Errorf("%s: the last day is %v", path, last)
			}
		}
		m.Must("revoke/"+k.Str("key_id"), nil)
		m.Pass(73 * time.Hour)
		m.Tidy()
		for path, status := range map[string]int{path: 404, "usage/owners/acme": 200, "usage": 200} {
			if a := m.Read(path); a.Status != status {
				t.Errorf("when the key is gone %s answers %d", path, a.Status)
			}
		}
		time.Sleep(31 * 24 * time.Hour)
		m.Tidy()
		if a := m.Read("usage/owners/acme"); a.Status != 404 {
			t.Errorf("a month later the owner answers %d %v", a.Status, a.Data)
		}
		if a := m.Read("usage"); a.Data["verifications"] != 20.0 {
			t.Errorf("the mount has %v", a.Data)
		}
	})
}
