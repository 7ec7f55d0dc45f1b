package backend_test

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"
)

// When the plugin dies under a request Vault starts another and runs the request
// again, with the id that it had. Run twice is run once.

const rerunID = "5c1f3f0e-0f3c-8a54-2b0e-6f1d5a4c9e77"

// TestARequestThatIsRunAgainIsRunOnce kills the plugin before and after each write
// of every operation, and runs the request again in the next process. Between two
// writes storage stays as it is, so these are all the moments that there are.
func TestARequestThatIsRunAgainIsRunOnce(t *testing.T) {
	rerunEach(t, buildWorld(t), trials())
	rerunEach(t, buildLimitedWorld(t), limitTrials())
}

func rerunEach(t *testing.T, w *world, trials []trial) {
	for _, tr := range trials {
		switch what, _, _ := strings.Cut(tr.name, " "); {
		case tr.steps:
			continue // it goes on where it was, and is no request's work
		case what == "verify", what == "authorize":
			continue // they change nothing, and what they spend a crash may lose
		}
		t.Run(tr.name, func(t *testing.T) {
			var want rerunOutcome
			var calls []call
			synctest.Test(t, func(t *testing.T) { want, calls = tr.runOnce(t, w) })
			for at, c := range calls {
				if !changes(c) {
					continue
				}
				for _, effect := range []bool{false, true} {
					f := &fault{at: at, kind: outage, effect: effect}
					synctest.Test(t, func(t *testing.T) { tr.runAgain(t, w, f, want) })
				}
			}
		})
	}
}

// rerunOutcome is what a request answers and leaves, but for what is random.
type rerunOutcome struct {
	answer  string
	records map[string]string
	says    map[string]string
}

func (tr trial) runOnce(t *testing.T, w *world) (rerunOutcome, []call) {
	m := w.open(t)
	cryptotest.SetGlobalRandom(t, 1)
	f := &fault{kind: none}
	m.request = rerunID
	m.storage.intercept(f.around)
	a := tr.run(m, w)
	m.storage.intercept(nil)
	if !a.ok() {
		t.Fatalf("%s does not work: %d %s", tr.name, a.status, a.text)
	}
	return leaves(t, w, m, a), f.made()
}

func (tr trial) runAgain(t *testing.T, w *world, f *fault, want rerunOutcome) {
	m := w.open(t)
	cryptotest.SetGlobalRandom(t, 1)
	var cancel context.CancelFunc
	m.ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	m.request = rerunID
	m.storage.intercept(f.around)
	tr.run(m, w) // into the void
	killed := &mount{t: t, storage: m.storage.clone(), system: m.system, log: m.log, secrets: m.secrets, ctx: context.Background(), faulty: true, request: rerunID}
	killed.open()
	defer killed.end()
	a := tr.run(killed, w)
	if !a.ok() {
		t.Fatalf("%v: run again it answers %d %s", f, a.status, a.text)
	}
	if key := a.str("key"); key != "" {
		if v := killed.must("verify", map[string]any{"key": key, "cost": 0}); v.data["valid"] != true {
			t.Errorf("%v: the key of the answer is %s", f, v.str("code"))
		}
	}
	got := leaves(t, w, killed, a)
	if got.answer != want.answer {
		t.Errorf("%v: run again it answers\n%s\nand once\n%s", f, got.answer, want.answer)
	}
	compare(t, f, "stored", got.records, want.records)
	compare(t, f, "said", got.says, want.says)
}

func compare(t *testing.T, f *fault, what string, got, want map[string]string) {
	t.Helper()
	names := slices.Sorted(maps.Keys(want))
	for name := range got {
		if _, known := want[name]; !known {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if got[name] != want[name] {
			t.Errorf("%v: after it was run again %s is %s as\n%s\nand after it was run once\n%s", f, name, what, got[name], want[name])
		}
	}
}

var anythingRandom = regexp.MustCompile(`\$argon2id\$[^"]*|"uid":"[A-Z2-7]*"|(key:)[a-z]+_[0-9A-Za-z_]{80}`)

func leaves(t *testing.T, w *world, m *mount, a answer) rerunOutcome {
	t.Helper()
	o := rerunOutcome{answer: anythingRandom.ReplaceAllString(fmt.Sprint(a.data, a.warnings), "$1"), records: map[string]string{}}
	for path, value := range records(m.storage.dump()) {
		o.records[path] = anythingRandom.ReplaceAllString(string(value), "")
	}
	o.says = w.observe(m)
	return o
}

// TestARotationThatIsRunAgainKeepsTheGraceThatItGave though it is run later, by
// another version of the role, and finds the version that nobody has.
func TestARotationThatIsRunAgainKeepsTheGraceThatItGave(t *testing.T) {
	for _, retention := range []any{"72h", 0} {
		for name, path := range map[string]string{"the operator's door": "rotate/KEY_ID", "the owner's door": "owners/acme/keys/KEY_ID/rotate", "the holder's door": "rotate"} {
			for _, grace := range []int{0, 600} {
				t.Run(fmt.Sprint(name, " ", grace), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						m := newMount(t)
						m.must("config", map[string]any{"revoked_retention": retention, "argon2_memory_kib": 19456, "argon2_iterations": 2})
						m.must("roles/web", map[string]any{"generate_lease": false, "ttl": "1h"})
						old := m.must("issue/web", map[string]any{"owner": "acme"})
						data := map[string]any{"grace_period": grace, "expected_version": 1}
						if path == "rotate" {
							data["key"] = old.str("key")
						}
						path := strings.Replace(path, "KEY_ID", old.str("key_id"), 1)
						m.request = rerunID
						first := m.must(path, data)
						time.Sleep(5 * time.Second)
						m.restart()
						again := m.must(path, data)
						m.request = ""
						for _, field := range []string{"version", "previous_version", "previous_valid_until"} {
							if first.data[field] != again.data[field] {
								t.Errorf("%s was %v and is %v", field, first.data[field], again.data[field])
							}
						}
						want := map[string]string{"first": "invalid", "again": "valid", "old": "valid"}
						if grace == 0 {
							want["old"] = "superseded"
						}
						for name, a := range map[string]answer{"first": first, "again": again, "old": old} {
							if code := m.code(a.str("key")); code != want[name] {
								t.Errorf("%s: %s, wanted %s", name, code, want[name])
							}
						}
						if a := m.write("rotate", map[string]any{"key": old.str("key")}); a.status != 409 {
							t.Errorf("another request with the old version answers %d", a.status)
						}
						if next := m.must("rotate/"+old.str("key_id"), nil); next.data["version"] != 3.0 {
							t.Errorf("the next rotation makes version %v", next.data["version"])
						}
					})
				})
			}
		}
	}
}

// What was decided of a key between the two runs stays decided.
func TestAKeyThatEndedBetweenTwoRunsIsNotMadeAgain(t *testing.T) {
	m := newMount(t)
	m.must("roles/web", map[string]any{"generate_lease": false, "ttl": "1h"})
	m.request = rerunID
	k := m.must("issue/web", map[string]any{"owner": "acme"})
	m.request = ""
	rotated := m.must("rotate/"+k.str("key_id"), nil)
	m.request = rerunID
	if a := m.write("issue/web", map[string]any{"owner": "acme"}); a.status != 409 {
		t.Errorf("an issue whose key was rotated meanwhile is run again with %d %s", a.status, a.text)
	}
	m.request = ""
	m.must("revoke/"+k.str("key_id"), nil)
	m.request = rerunID
	if a := m.write("issue/web", map[string]any{"owner": "acme"}); a.status != 409 {
		t.Errorf("an issue whose key was revoked meanwhile is run again with %d %s", a.status, a.text)
	}
	m.request = ""
	if code := m.code(rotated.str("key")); code != "revoked" {
		t.Errorf("the key is %s", code)
	}
}

// A stop that is run again ends nothing that was issued after its first run.
func TestAStopThatIsRunAgainEndsNothingNew(t *testing.T) {
	for _, path := range []string{"stop/owners/acme", "stop/roles/web"} {
		m := newMount(t)
		m.must("roles/web", map[string]any{"generate_lease": false})
		old := m.must("issue/web", map[string]any{"owner": "acme"})
		m.request = rerunID
		first := m.must(path, map[string]any{"reason": "leaked"})
		m.request = ""
		issued := m.must("issue/web", map[string]any{"owner": "acme"})
		m.request = rerunID
		m.restart()
		again := m.must(path, map[string]any{"reason": "leaked"})
		m.request = ""
		if fmt.Sprint(again.data) != fmt.Sprint(first.data) {
			t.Errorf("%s answered %v and, run again, %v", path, first.data, again.data)
		}
		if a, b := m.code(old.str("key")), m.code(issued.str("key")); a != "revoked" || b != "valid" {
			t.Errorf("after %s was run again an old key is %s, one issued since %s", path, a, b)
		}
		m.must(path, nil) // another request
		if code := m.code(issued.str("key")); code != "revoked" {
			t.Errorf("after another %s the key is %s", path, code)
		}
	}
}
