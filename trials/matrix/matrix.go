// Package matrix breaks each storage call of each operation in each way, and holds what
// comes of it against an undisturbed run.
package matrix

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
	"vault-plugin-secrets-apikeys/trials/world"
)

// Run runs every trial once for every storage call that it makes and every way in
// which the call can fail. After an error the operation has happened or has not, and
// can be repeated; after an answer it has happened, and the answer is the one of an
// undisturbed run.
func Run(t *testing.T, w *world.World, trials []world.Trial) {
	for _, tr := range trials {
		t.Run(tr.Name, func(t *testing.T) {
			trial{tr}.breakEach(t, w, false)
			if !tr.Steps {
				trial{tr}.breakEach(t, w, true)
			}
		})
	}
}

type trial struct{ world.Trial }

// outcome is what an undisturbed run on the same world answers and leaves.
type outcome struct {
	calls  []memory.Call
	answer mount.Answer
	dump   map[string][]byte
}

// breakEach breaks each call of the trial in each way, on a mount that has read
// everything before, or nothing.
func (tr trial) breakEach(t *testing.T, w *world.World, warm bool) {
	var want outcome
	synctest.Test(t, func(t *testing.T) { want = tr.undisturbed(t, w, warm) })
	for at, c := range want.calls {
		for _, kind := range []memory.Kind{memory.Once, memory.Outage, memory.Canceled, memory.Panicked} {
			for _, effect := range []bool{false, true} {
				if effect && !c.Changes() {
					continue // it has none to take
				}
				f := &memory.Fault{At: at, Kind: kind, Effect: effect}
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

// start opens the world and runs the trial under the fault.
func (tr trial) start(t *testing.T, w *world.World, warm bool, f *memory.Fault) (*mount.Mount, mount.Answer) {
	m := w.Open(t)
	if warm {
		w.Observe(m)
		synctest.Wait() // for what is written behind the answers
	}
	// From here on two runs mint the same keys, so that they can be compared
	// byte by byte.
	cryptotest.SetGlobalRandom(t, 1)
	m.Ctx, f.Cancel = context.WithCancel(context.Background())
	defer func() { m.Ctx = context.Background() }()
	defer f.Cancel()
	m.Storage.Intercept(f.Around)
	defer m.Storage.Intercept(nil)
	a := tr.Run(m, w)
	synctest.Wait()
	return m, a
}

func (tr trial) undisturbed(t *testing.T, w *world.World, warm bool) outcome {
	f := &memory.Fault{Kind: memory.None}
	m, a := tr.start(t, w, warm, f)
	if !a.OK() {
		t.Fatalf("%s does not work: %d %s", tr.Name, a.Status, a.Text)
	}
	return outcome{calls: f.Made(), answer: a, dump: m.Storage.Dump()}
}

func (tr trial) disturbed(t *testing.T, w *world.World, warm bool, f *memory.Fault, want outcome) {
	m, a := tr.start(t, w, warm, f)
	if made := len(f.Made()); tr.Steps && made <= f.At && f.At < made+2 {
		return // what writes idle ends is woken by tidy, and looks once or twice: nothing was broken
	}
	if !f.Struck() {
		t.Fatal("the run made other calls than the undisturbed one")
	}
	happened := tr.hasHappened(t, w, m, want)
	if tr.Steps {
		time.Sleep(2 * time.Second) // what could not be written behind an answer is tried again
	}
	switch {
	case a.OK():
		if !happened {
			t.Error("it answered and did not happen")
		}
		if !reflect.DeepEqual(a.Data, want.answer.Data) {
			t.Errorf("it answered differently:\n%v\n%v", a.Data, want.answer.Data)
		}
	case a.Status != http.StatusInternalServerError || a.Text != "internal error":
		t.Errorf("it answered %d %q", a.Status, a.Text)
	case happened && f.Kind != memory.Outage && f.Kind != memory.Panicked && losesAKey(want):
		// See losesAKey.
		t.Error("a rotation answered with an error although it happened")
	}
	// A read that failed before anything was written leaves nothing to look at.
	touched := f.Broken().Changes() || !m.Storage.SameAs(w.Storage.Dump())
	if touched {
		for _, p := range m.Problems() {
			if !p.Leftover {
				t.Errorf("storage: %v", p)
			}
		}
	}
	if touched && (!tr.Steps || f.Broken().Changes()) {
		world.Coherent(t, w, m)
	}
	if !a.OK() {
		again := tr.Run(m, w)
		if !again.OK() && !slices.Contains(tr.Again, again.Status) {
			t.Errorf("repeated it answered %d %s", again.Status, again.Text)
		}
	}
	if !touched {
		return
	}
	if state := m.Tidy(); state != "done" {
		t.Errorf("tidy afterwards: %s", state)
	}
	if left := m.Problems(); len(left) > 0 {
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
func losesAKey(want outcome) bool { return want.answer.Data["previous_version"] != nil }

// disabledAt is when a honeytoken disabled a key: later, where that was done again.
var disabledAt = regexp.MustCompile(`"disabled_at":\d+`)

func records(dump map[string][]byte) map[string][]byte {
	all := world.Records(dump)
	for path, value := range all {
		all[path] = disabledAt.ReplaceAll(value, []byte(`"disabled_at":0`))
	}
	return all
}

// hasHappened compares the records with those before and those after an
// undisturbed run, and fails for everything in between.
func (tr trial) hasHappened(t *testing.T, w *world.World, m *mount.Mount, want outcome) bool {
	t.Helper()
	now, before, after := records(m.Storage.Dump()), records(w.Storage.Dump()), records(want.dump)
	if maps.EqualFunc(now, after, bytes.Equal) {
		return true
	}
	if tr.Steps {
		for path := range now {
			if strings.HasPrefix(path, "honeytoken/") {
				continue // it says what is to be disabled before it says that it was
			}
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
