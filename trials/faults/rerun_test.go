package faults

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

	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
	"vault-plugin-secrets-apikeys/trials/world"
)

// When the plugin dies under a request Vault starts another and runs the request
// again, with the id that it had. Run twice is run once.

const rerunID = "5c1f3f0e-0f3c-8a54-2b0e-6f1d5a4c9e77"

// TestARequestThatIsRunAgainIsRunOnce kills the plugin before and after each write
// of every operation, and runs the request again in the next process. Between two
// writes storage stays as it is, so these are all the moments that there are.
func TestARequestThatIsRunAgainIsRunOnce(t *testing.T) {
	rerunEach(t, world.Build(t), world.Trials())
	rerunEach(t, world.BuildLimited(t), world.LimitTrials())
}

func rerunEach(t *testing.T, w *world.World, trials []world.Trial) {
	for _, tr := range trials {
		switch what, _, _ := strings.Cut(tr.Name, " "); {
		case tr.Steps:
			continue // it goes on where it was, and is no request's work
		case what == "verify", what == "authorize":
			continue // they change nothing, and what they spend a crash may lose
		}
		t.Run(tr.Name, func(t *testing.T) {
			tr := trial{tr}
			var want rerunOutcome
			var calls []memory.Call
			synctest.Test(t, func(t *testing.T) { want, calls = tr.runOnce(t, w) })
			for at, c := range calls {
				if !c.Changes() {
					continue
				}
				for _, effect := range []bool{false, true} {
					f := &memory.Fault{At: at, Kind: memory.Outage, Effect: effect}
					synctest.Test(t, func(t *testing.T) { tr.runAgain(t, w, f, want) })
				}
			}
		})
	}
}

type trial struct{ world.Trial }

// rerunOutcome is what a request answers and leaves, but for what is random.
type rerunOutcome struct {
	answer  string
	records map[string]string
	says    map[string]string
}

func (tr trial) runOnce(t *testing.T, w *world.World) (rerunOutcome, []memory.Call) {
	m := w.Open(t)
	cryptotest.SetGlobalRandom(t, 1)
	f := &memory.Fault{Kind: memory.None}
	m.Request = rerunID
	m.Storage.Intercept(f.Around)
	a := tr.Run(m, w)
	m.Storage.Intercept(nil)
	if !a.OK() {
		t.Fatalf("%s does not work: %d %s", tr.Name, a.Status, a.Text)
	}
	return leaves(t, w, m, a), f.Made()
}

func (tr trial) runAgain(t *testing.T, w *world.World, f *memory.Fault, want rerunOutcome) {
	m := w.Open(t)
	cryptotest.SetGlobalRandom(t, 1)
	var cancel context.CancelFunc
	m.Ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	m.Request = rerunID
	m.Storage.Intercept(f.Around)
	tr.Run(m, w) // into the void
	killed := &mount.Mount{T: t, Storage: m.Storage.Clone(), System: m.System, Log: m.Log, Secrets: m.Secrets, Ctx: context.Background(), Faulty: true, Request: rerunID}
	killed.Open()
	defer killed.End()
	a := tr.Run(killed, w)
	if !a.OK() && slices.Contains(tr.Again, a.Status) {
		a = mount.Answer{} // it had happened, and says so
	} else if !a.OK() {
		t.Fatalf("%v: run again it answers %d %s", f, a.Status, a.Text)
	}
	if key := a.Key(); key != "" {
		if v := killed.Must("verify", map[string]any{"key": key, "cost": 0}); v.Data["valid"] != true {
			t.Errorf("%v: the key of the answer is %s", f, v.Str("code"))
		}
	}
	got := leaves(t, w, killed, a)
	if a.Status != 0 && got.answer != want.answer {
		t.Errorf("%v: run again it answers\n%s\nand once\n%s", f, got.answer, want.answer)
	}
	compare(t, f, "stored", got.records, want.records)
	compare(t, f, "said", got.says, want.says)
}

func compare(t *testing.T, f *memory.Fault, what string, got, want map[string]string) {
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

var anythingRandom = regexp.MustCompile(`\$argon2id\$[^"]*|"uid":"[A-Z2-7]*"|(key:)[a-z]+_[0-9A-Za-z_]{80}|-----BEGIN AGE ENCRYPTED FILE-----[^-]*`)

func leaves(t *testing.T, w *world.World, m *mount.Mount, a mount.Answer) rerunOutcome {
	t.Helper()
	// That the version which was presented had waited is told by the run that found it so.
	warnings := slices.DeleteFunc(slices.Clone(a.Warnings), func(w string) bool { return strings.Contains(w, "was pending") })
	o := rerunOutcome{answer: anythingRandom.ReplaceAllString(fmt.Sprint(a.Data, warnings), "$1"), records: map[string]string{}}
	for path, value := range world.Records(m.Storage.Dump()) {
		o.records[path] = anythingRandom.ReplaceAllString(string(value), "")
	}
	o.says = w.Observe(m)
	return o
}

// TestARotationThatIsRunAgainKeepsTheGraceThatItGave though it is run later, by
// another version of the role, and finds the version that nobody has.
func TestARotationThatIsRunAgainKeepsTheGraceThatItGave(t *testing.T) {
	for _, retention := range []any{"72h", 0} {
		for name, path := range map[string]string{"the operator's path": "rotate/KEY_ID", "the owner's path": "owners/acme/keys/KEY_ID/rotate", "the holder's path": "rotate"} {
			for _, grace := range []int{0, 600} {
				t.Run(fmt.Sprint(name, " ", grace), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						m := mount.New(t)
						m.Must("config", map[string]any{"revoked_retention": retention, "argon2_memory_kib": 19456, "argon2_iterations": 2})
						m.Must("roles/web", map[string]any{"generate_lease": false, "ttl": "1h"})
						old := m.Must("issue/web", map[string]any{"owner": "acme"})
						data := map[string]any{"grace_period": grace, "expected_version": 1}
						if path == "rotate" {
							data["key"] = old.Str("key")
						}
						path := strings.Replace(path, "KEY_ID", old.Str("key_id"), 1)
						m.Request = rerunID
						first := m.Must(path, data)
						time.Sleep(5 * time.Second)
						m.Restart()
						again := m.Must(path, data)
						m.Request = ""
						for _, field := range []string{"version", "previous_version", "previous_valid_until"} {
							if first.Data[field] != again.Data[field] {
								t.Errorf("%s was %v and is %v", field, first.Data[field], again.Data[field])
							}
						}
						want := map[string]string{"first": "invalid", "again": "valid", "old": "valid"}
						if grace == 0 {
							want["old"] = "superseded"
						}
						for name, a := range map[string]mount.Answer{"first": first, "again": again, "old": old} {
							if code := m.Code(a.Str("key")); code != want[name] {
								t.Errorf("%s: %s, wanted %s", name, code, want[name])
							}
						}
						if a := m.Write("rotate", map[string]any{"key": old.Str("key")}); a.Status != 409 {
							t.Errorf("another request with the old version answers %d", a.Status)
						}
						if next := m.Must("rotate/"+old.Str("key_id"), nil); next.Data["version"] != 3.0 {
							t.Errorf("the next rotation makes version %v", next.Data["version"])
						}
					})
				})
			}
		}
	}
}

// What was decided of a key between the two runs stays decided.
func TestAKeyThatEndedBetweenTwoRunsIsNotMadeAgain(t *testing.T) {
	m := mount.New(t)
	m.Must("roles/web", map[string]any{"generate_lease": false, "ttl": "1h"})
	m.Request = rerunID
	k := m.Must("issue/web", map[string]any{"owner": "acme"})
	m.Request = ""
	rotated := m.Must("rotate/"+k.Str("key_id"), nil)
	m.Request = rerunID
	if a := m.Write("issue/web", map[string]any{"owner": "acme"}); a.Status != 409 {
		t.Errorf("an issue whose key was rotated meanwhile is run again with %d %s", a.Status, a.Text)
	}
	m.Request = ""
	m.Must("revoke/"+k.Str("key_id"), nil)
	m.Request = rerunID
	if a := m.Write("issue/web", map[string]any{"owner": "acme"}); a.Status != 409 {
		t.Errorf("an issue whose key was revoked meanwhile is run again with %d %s", a.Status, a.Text)
	}
	m.Request = ""
	if code := m.Code(rotated.Str("key")); code != "revoked" {
		t.Errorf("the key is %s", code)
	}
}

// TestARotationThatWasTakenBackBetweenTwoRunsIsAnotherOne replaces the version before,
// and not the one that was cancelled: that would leave two in effect.
func TestARotationThatWasTakenBackBetweenTwoRunsIsAnotherOne(t *testing.T) {
	for _, activation := range []string{"immediate", "first_use"} {
		for _, by := range []string{"rollback", "lease"} {
			if activation == "immediate" && by == "lease" {
				continue // which is the key's end
			}
			m := mount.New(t)
			m.Must("roles/web", map[string]any{"generate_lease": by == "lease", "ttl": "1h"})
			old := m.Must("issue/web", nil)
			path, data := "rotate/"+old.Str("key_id"), map[string]any{"activation": activation}
			m.Request = rerunID
			first := m.Must(path, data)
			m.Request = ""
			if by == "lease" {
				m.Registered(first)
				m.EndLease(first.Secret)
			} else {
				m.Must(path+"/rollback", nil)
			}
			m.Request = rerunID
			again := m.Must(path, data)
			m.Request = ""
			if again.Data["version"] != 3.0 || again.Data["activation"] != activation {
				t.Errorf("%s, %s: run again it made version %v, %v", activation, by, again.Data["version"], again.Data["activation"])
			}
			if a, b := m.Code(first.Str("key")), m.Code(again.Str("key")); a == "valid" || b != "valid" {
				t.Errorf("%s, %s: what was taken back is %s, what was made again %s", activation, by, a, b)
			}
			if a := m.Must("verify", map[string]any{"key": old.Str("key")}); a.Data["superseded"] != true {
				t.Errorf("%s, %s: the version before was not replaced: %v", activation, by, a.Data)
			}
		}
	}
}

// A stop that is run again ends nothing that was issued after its first run.
func TestAStopThatIsRunAgainEndsNothingNew(t *testing.T) {
	for _, path := range []string{"stop/owners/acme", "stop/roles/web"} {
		m := mount.New(t)
		m.Must("roles/web", map[string]any{"generate_lease": false})
		old := m.Must("issue/web", map[string]any{"owner": "acme"})
		m.Request = rerunID
		first := m.Must(path, map[string]any{"reason": "leaked"})
		m.Request = ""
		issued := m.Must("issue/web", map[string]any{"owner": "acme"})
		m.Request = rerunID
		m.Restart()
		again := m.Must(path, map[string]any{"reason": "leaked"})
		m.Request = ""
		if fmt.Sprint(again.Data) != fmt.Sprint(first.Data) {
			t.Errorf("%s answered %v and, run again, %v", path, first.Data, again.Data)
		}
		if a, b := m.Code(old.Str("key")), m.Code(issued.Str("key")); a != "revoked" || b != "valid" {
			t.Errorf("after %s was run again an old key is %s, one issued since %s", path, a, b)
		}
		m.Must(path, nil) // another request
		if code := m.Code(issued.Str("key")); code != "revoked" {
			t.Errorf("after another %s the key is %s", path, code)
		}
	}
}
