package backend_test

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
)

// operation is something to do with a world.
type operation func(m *mount, w *world) answer

// trial is one operation of the matrix.
type trial struct {
	name string
	run  operation
	// again are the statuses of a repetition after an error, besides success.
	again []int
	// steps marks work of many steps, each of which happens or does not. It is
	// broken on a mount that has read nothing: there it makes all of its calls.
	steps bool
}

// outcome is what an undisturbed run on the same world answers and leaves.
type outcome struct {
	calls  []call
	answer answer
	dump   map[string][]byte
}

// TestEachStorageCallFailsOnce runs every operation once for every storage call
// that it makes and every way in which the call can fail. After an error the
// operation has happened or has not, and can be repeated; after an answer it has
// happened, and the answer is the one of an undisturbed run.
func TestEachStorageCallFailsOnce(t *testing.T) {
	w := buildWorld(t)
	for _, tr := range trials() {
		t.Run(tr.name, func(t *testing.T) {
			tr.breakEach(t, w, false)
			if !tr.steps {
				tr.breakEach(t, w, true)
			}
		})
	}
}

// breakEach breaks each call of the trial in each way, on a mount that has read
// everything before, or nothing.
func (tr trial) breakEach(t *testing.T, w *world, warm bool) {
	var want outcome
	synctest.Test(t, func(t *testing.T) { want = tr.undisturbed(t, w, warm) })
	for at, c := range want.calls {
		for _, kind := range []kind{once, outage, canceled, panicked} {
			for _, effect := range []bool{false, true} {
				if effect && !changes(c) {
					continue // it has none to take
				}
				f := &fault{at: at, kind: kind, effect: effect}
				synctest.Test(t, func(t *testing.T) {
					defer func() {
						if t.Failed() {
							t.Logf("warm=%t: %v", warm, f)
						}
					}()
					tr.disturbed(t, w, warm, f, want)
				})
			}
		}
	}
}

func changes(c call) bool { return c.method == "put" || c.method == "delete" }

// start opens the world and runs the trial under the fault.
func (tr trial) start(t *testing.T, w *world, warm bool, f *fault) (*mount, answer) {
	m := w.open(t)
	if warm {
		w.observe(m)
	}
	// From here on two runs mint the same keys, so that they can be compared
	// byte by byte.
	cryptotest.SetGlobalRandom(t, 1)
	m.ctx, f.cancel = context.WithCancel(context.Background())
	defer func() { m.ctx = context.Background() }()
	defer f.cancel()
	m.storage.intercept(f.around)
	defer m.storage.intercept(nil)
	return m, tr.run(m, w)
}

func (tr trial) undisturbed(t *testing.T, w *world, warm bool) outcome {
	f := &fault{kind: none}
	m, a := tr.start(t, w, warm, f)
	if !a.ok() {
		t.Fatalf("%s does not work: %d %s", tr.name, a.status, a.text)
	}
	return outcome{calls: f.made(), answer: a, dump: m.storage.dump()}
}

func (tr trial) disturbed(t *testing.T, w *world, warm bool, f *fault, want outcome) {
	m, a := tr.start(t, w, warm, f)
	if !f.struck() {
		t.Fatal("the run made other calls than the undisturbed one")
	}
	happened := tr.hasHappened(t, w, m, want)
	switch {
	case a.ok():
		if !happened {
			t.Error("it answered and did not happen")
		}
		if !reflect.DeepEqual(a.data, want.answer.data) {
			t.Errorf("it answered differently:\n%v\n%v", a.data, want.answer.data)
		}
	case a.status != http.StatusInternalServerError || a.text != "internal error":
		t.Errorf("it answered %d %q", a.status, a.text)
	case happened && f.kind != outage && f.kind != panicked && losesAKey(want):
		// See losesAKey.
		t.Error("a rotation answered with an error although it happened")
	}
	// A read that failed before anything was written leaves nothing to look at.
	touched := changes(f.broken()) || !m.storage.sameAs(w.storage.dump())
	if touched {
		for _, p := range m.problems() {
			if !p.Leftover {
				t.Errorf("storage: %v", p)
			}
		}
	}
	if touched && (!tr.steps || changes(f.broken())) {
		coherent(t, w, m)
	}
	if !a.ok() {
		again := tr.run(m, w)
		if !again.ok() && !slices.Contains(tr.again, again.status) {
			t.Errorf("repeated it answered %d %s", again.status, again.text)
		}
	}
	if !touched {
		return
	}
	if state := m.tidy(); state != "done" {
		t.Errorf("tidy afterwards: %s", state)
	}
	if left := m.problems(); len(left) > 0 {
		t.Errorf("tidy leaves %v", left)
	}
}

// losesAKey tells whether the operation answers with a key that replaces another
// one. For these an error must mean that the old key goes on as it was.
//
// One case cannot be told from within: the write of the record takes effect, its
// answer is lost, and storage stays unreachable, or the process dies, so that it
// cannot be read back. The operation then ends with an error and nobody has the
// new key. With a grace period the old one works until its end; after
// grace_period=0 none does, and an operator has to rotate once more, which the
// repetition shows to work.
func losesAKey(want outcome) bool { return want.answer.data["previous_version"] != nil }

// hasHappened compares the records with those before and those after an
// undisturbed run, and fails for everything in between.
func (tr trial) hasHappened(t *testing.T, w *world, m *mount, want outcome) bool {
	t.Helper()
	now := records(m.storage.dump())
	before, after := records(w.storage.dump()), records(want.dump)
	if maps.EqualFunc(now, after, bytes.Equal) {
		return true
	}
	if tr.steps {
		for path := range now {
			if !bytes.Equal(now[path], before[path]) && !bytes.Equal(now[path], after[path]) {
				t.Errorf("%s is neither as before nor as after", path)
			}
		}
		return false
	}
	if !maps.EqualFunc(now, before, func(now, before []byte) bool { return bytes.Equal(now, before) || takenBack(now, before) }) {
		t.Error("the records are neither those before nor those after the operation")
	}
	return false
}

// records are the entries that an operation writes to decide something; the others
// are hints, and last uses, which are written at any time.
func records(dump map[string][]byte) map[string][]byte {
	maps.DeleteFunc(dump, func(path string, value []byte) bool {
		owner := strings.HasPrefix(path, "owner/") && bytes.Contains(value, []byte(`"generation":0`)) // a stop is no hint
		return owner || strings.HasPrefix(path, "owner-key/") || strings.HasPrefix(path, "role-key/") || strings.HasPrefix(path, "roster/") || strings.HasPrefix(path, "usage/")
	})
	return dump
}

// coherent holds what the mount says, from its caches, against what one says
// that was just started on the same storage.
func coherent(t *testing.T, w *world, m *mount) {
	t.Helper()
	fresh := &mount{t: t, storage: m.storage.clone(), system: m.system, log: new(journal), ctx: m.ctx}
	fresh.open()
	defer fresh.backend.Cleanup(m.ctx)
	says, stored := w.observe(m), w.observe(fresh)
	for what := range stored {
		if says[what] != stored[what] {
			t.Errorf("%s: the mount answers\n%s\nand after a restart\n%s", what, says[what], stored[what])
		}
	}
}
