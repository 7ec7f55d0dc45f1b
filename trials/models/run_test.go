package models

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// run is one random walk of a mount beside the model.
type run struct {
	m        *mount.Mount
	model    *model
	rand     *rand.Rand
	versions []*modelVersion // all that were ever minted
	leases   []*modelLease
	history  []string
	counts   counts
}

const day = 24 * 3600

// TestRandomOperationsAgreeWithTheModel prints the seeds that fail. For a longer
// run set MODEL_SEEDS and MODEL_STEPS; for one seed MODEL_SEED.
func TestRandomOperationsAgreeWithTheModel(t *testing.T) {
	first, seeds, steps := fromEnv("MODEL_SEED", 1), fromEnv("MODEL_SEEDS", 6), fromEnv("MODEL_STEPS", 500)
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { walk(t, uint64(seed), steps) })
		})
	}
}

func fromEnv(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

func walk(t *testing.T, seed uint64, steps int) {
	r := &run{
		m:     mount.New(t),
		model: &model{roles: map[string]*modelRole{}, keys: map[string]*modelKey{}, named: map[string]*modelKey{}},
		rand:  rand.New(rand.NewPCG(seed, 0)), counts: counts{},
	}
	defer func() {
		if t.Failed() {
			t.Logf("the last requests:\n%s", strings.Join(r.history[max(0, len(r.history)-12):], "\n"))
		}
	}()
	r.m.FlushRarely()
	total := 0
	for _, a := range actions {
		total += a.weight
	}
	for step := range steps {
		n := r.rand.IntN(total)
		for _, a := range actions {
			if n -= a.weight; n < 0 {
				a.act(r)
				break
			}
		}
		if step%20 == 0 {
			r.sweep()
			r.sameCounts()
		}
	}
	r.sweep()
	r.tidy()
	r.sweep()
	r.sameCounts()
}

// do sends a request and holds that a refusal left the storage as it was.
func (r *run) do(op logical.Operation, path string, data map[string]any) mount.Answer {
	r.m.T.Helper()
	return r.seenAfter(fmt.Sprint(op, " ", path, " ", data), func() mount.Answer { return r.m.Do(op, path, data) })
}

func (r *run) write(path string, data map[string]any) mount.Answer {
	r.m.T.Helper()
	return r.do(logical.UpdateOperation, path, data)
}

func (r *run) seenAfter(what string, send func() mount.Answer) mount.Answer {
	r.m.T.Helper()
	synctest.Wait()
	before := r.hashless()
	a := send()
	r.history = append(r.history, fmt.Sprintf("%d %s: %d %s", r.now(), what, a.Status, a.Text))
	synctest.Wait()
	if (!a.OK() || strings.Contains(what, " verify")) && r.hashless() != before {
		r.m.T.Fatalf("%s, answered with %d, changed the storage", what, a.Status)
	}
	return a
}

var storedHash = regexp.MustCompile(`\$argon2id[^"]*`)

// hashless is the storage without hashes, which a re-hash may change at any time.
func (r *run) hashless() string {
	var text strings.Builder
	dump := r.m.Storage.Dump()
	for _, path := range sorted(dump) {
		if strings.HasPrefix(path, "alert/") {
			continue // written behind the answers
		}
		text.WriteString(path)
		text.Write(storedHash.ReplaceAll(dump[path], []byte("x")))
	}
	return text.String()
}

func (r *run) expect(status int, a mount.Answer) mount.Answer {
	r.m.T.Helper()
	if a.Status != status {
		r.m.T.Fatalf("answered %d %q, the model says %d", a.Status, a.Text, status)
	}
	return a
}

func (r *run) now() int64 { return time.Now().Unix() }

func (r *run) chance(in int) bool { return r.rand.IntN(in) == 0 }

func (r *run) pick(from ...string) string { return from[r.rand.IntN(len(from))] }

func (r *run) seconds(from ...int64) int64 { return from[r.rand.IntN(len(from))] }

// scopes is a random list, nil for none given.
func (r *run) scopes() []string {
	if r.chance(2) {
		return nil
	}
	return r.some("a", "b", "c")
}

func (r *run) some(from ...string) []string {
	return slices.DeleteFunc(from, func(string) bool { return r.chance(2) })
}

// anyVersion is mostly one of a key that lives, or a late one.
func (r *run) anyVersion() *modelVersion {
	if len(r.versions) == 0 {
		return nil
	}
	from := r.versions[max(0, len(r.versions)-20):]
	if !r.chance(4) {
		from = slices.DeleteFunc(slices.Clone(from), func(v *modelVersion) bool {
			return r.model.keys[v.key.id] != v.key || v.key.ended(r.now()) != 0
		})
	} else if r.chance(3) {
		from = r.versions
	}
	if len(from) == 0 {
		return nil
	}
	return from[r.rand.IntN(len(from))]
}

func (r *run) anyKey() *modelKey {
	if v := r.anyVersion(); v != nil {
		return v.key
	}
	return nil
}

// proven tells whether a text still can be proven.
func (r *run) proven(v *modelVersion) bool {
	// Between the end of its retention and whatever forgets it a hash may be
	// there or not; the model asks.
	codes := r.model.codes(v, question{}, r.now())
	if len(codes) == 2 {
		return r.counted(r.m.Must("verify", map[string]any{"key": v.text})).Str("code") != "invalid"
	}
	return codes[0] != "invalid"
}

func (r *run) wait() {
	for _, v := range r.versions {
		if v.key.ended(r.now()) == 0 && r.chance(20) {
			// To the very second at which something ends.
			end := v.expires
			if v.until != 0 {
				end = v.until
			}
			if end -= int64(r.rand.IntN(2)); end > r.now() {
				time.Sleep(time.Duration(end-r.now()) * time.Second)
				return
			}
		}
	}
	time.Sleep(time.Duration(r.seconds(1, 1, 20, 60, 60, 600, 3600, 10*3600, 2*day)) * time.Second)
}

func (r *run) restart() {
	r.history = append(r.history, "restart")
	r.m.Restart()
}

func (r *run) removeRole() {
	name, want := r.pick("web", "svc", "tmp"), http.StatusNoContent
	if r.model.inUse(name, r.now()) {
		want = http.StatusConflict
	}
	if a := r.expect(want, r.do(logical.DeleteOperation, "roles/"+name, nil)); a.OK() {
		delete(r.model.roles, name)
	}
}
