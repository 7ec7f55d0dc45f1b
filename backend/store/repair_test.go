package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/trials/memory"
)

const (
	roleHint  = "role-key/web/u1-0/aa/" + one
	ownerHint = "owner-key/acme/aa/" + one
	rightHint = `{"v":1,"record":{"role":"web","expires_at":5000}}`
)

func TestHintsAreBroughtInLineWithTheirRecord(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change      func(k *record.Key)
		role, owner string // what is planted; "-" removes it
		now         record.Time
		wantRole    string
		wantOwner   string
		repaired    int
		writes      int
	}{
		"right ones are left alone":         {now: now, wantRole: rightHint, wantOwner: rightHint},
		"missing ones are written":          {now: now, role: "-", owner: "-", wantRole: rightHint, wantOwner: rightHint, repaired: 2, writes: 2},
		"one that is missing":               {now: now, role: "-", wantRole: rightHint, wantOwner: rightHint, repaired: 1, writes: 1},
		"one of an earlier end is moved":    {now: now, role: `{"v":1,"record":{"role":"web","expires_at":10}}`, wantRole: rightHint, wantOwner: rightHint, writes: 1},
		"an expired key keeps its owner's":  {now: 5000, wantOwner: rightHint, writes: 1},
		"a revoked key's say when it ended": {now: now, change: func(k *record.Key) { k.RevokedAt = 1500 }, wantOwner: `{"v":1,"record":{"role":"web","expires_at":1500}}`, writes: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, s := mount(t, one)
			if tc.change != nil {
				if _, err := s.UpdateKey(t.Context(), one, func(k *record.Key) error { tc.change(k); return nil }); err != nil {
					t.Fatal(err)
				}
			}
			for path, value := range map[string]string{roleHint: tc.role, ownerHint: tc.owner} {
				if value == "-" {
					d.Lose(path)
				} else if value != "" {
					d.Plant(path, value)
				}
			}
			d.Noted()
			repaired, err := s.RepairHints(t.Context(), one, endedAt(tc.now))
			if err != nil || repaired != tc.repaired {
				t.Errorf("it repaired %d, %v", repaired, err)
			}
			if got := d.Noted("put", "delete"); len(got) != tc.writes {
				t.Errorf("it wrote %q", got)
			}
			if d.Holds(roleHint) != tc.wantRole || d.Holds(ownerHint) != tc.wantOwner {
				t.Errorf("left are %q and %q", d.Holds(roleHint), d.Holds(ownerHint))
			}
			if again, err := s.RepairHints(t.Context(), one, endedAt(tc.now)); again != 0 || err != nil || len(d.Noted("put", "delete")) != 0 {
				t.Errorf("a second time it repaired %d, %v", again, err)
			}
		})
	}
}

func TestThereIsNothingToRepairOfAKeyThatIsGone(t *testing.T) {
	t.Parallel()
	d, s := mount(t)
	if repaired, err := s.RepairHints(t.Context(), one, endedAt(now)); repaired != 0 || err != nil || len(d.Noted("put", "delete")) != 0 {
		t.Errorf("it repaired %d, %v", repaired, err)
	}
}

func TestTroubleWithARepairIsAnError(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]func(op, path string) error{
		"with the hint":   memory.On("get", roleHint, errDisk),
		"with writing":    memory.On("put", roleHint, errDisk),
		"with the record": memory.On("get", "key/", errDisk),
	} {
		d, s := mount(t, one)
		d.Plant(roleHint, `{"v":1,"record":{}}`)
		s.Invalidate("key/aa/" + one)
		d.Intercept(memory.Before(hook))
		if _, err := s.RepairHints(t.Context(), one, endedAt(now)); !errors.Is(err, errDisk) {
			t.Errorf("%s it answered %v", name, err)
		}
	}
}

func TestASweepRemovesWhatLeadsNowhere(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	whole := d.Paths()
	steps := 0
	step := func() { steps++ }
	if n, err := s.SweepLeftovers(t.Context(), step); n != 0 || err != nil || !slices.Equal(d.Paths(), whole) {
		t.Fatalf("of a whole mount it removed %d, %v", n, err)
	}
	dead := []string{
		"role-key/web/u1-0/aa/aa00000000000002", // no such key
		"role-key/web/u0-0/aa/" + one,           // of the role's predecessor
		"role-key/batch/u1-0/aa/" + one,         // of another role
		"owner-key/other/aa/" + one,             // of another owner
		"owner-key/acme/zz/zz00000000000001",    // no such key
		"owner-key/nobody/zz/zz00000000000001",  // an owner without a record
		"role-key/web/u1-0/00/00000000000000aa", // before all others
	}
	for _, path := range dead {
		d.Plant(path, rightHint)
	}
	d.Plant("owner/other", `{"v":1,"record":{}}`)
	d.Plant("owner/idle", `{"v":1,"record":{}}`)
	steps = 0
	n, err := s.SweepLeftovers(t.Context(), step)
	if n != len(dead) || err != nil {
		t.Errorf("it removed %d, %v", n, err)
	}
	if steps != len(dead)+2 {
		t.Errorf("it stepped %d times over %d hints", steps, len(dead)+2)
	}
	if got := d.Paths(); !slices.Equal(got, whole) {
		t.Errorf("left are %q", got)
	}
	if owners, err := s.Owners(t.Context()); !slices.Equal(owners, []string{"acme"}) || err != nil {
		t.Errorf("owners are %q, %v", owners, err)
	}
	check(t, d, 0)
}

func TestAnOwnerGoesWithTheLastKeyAndComesWithTheNext(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	if _, err := s.DeleteKey(t.Context(), one, func(*record.Key) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SweepLeftovers(t.Context(), func() {}); err != nil || d.Holds("owner/acme") != "" {
		t.Errorf("the owner is still there, %v", err)
	}
	if err := s.CreateKey(t.Context(), keyOf(idIn("ab", 1), "acme")); err != nil || d.Holds("owner/acme") == "" {
		t.Errorf("the owner did not come back, %v", err)
	}
}

// The sweep must not take the hints of a key that is being made for dead ones.
func TestASweepWaitsForAKeyThatIsBeingMade(t *testing.T) {
	t.Parallel()
	d, s := mount(t)
	swept := make(chan error, 1)
	d.Intercept(memory.Before(func(op, path string) error {
		if op == "put" && path == "key/aa/"+one {
			go func() {
				_, err := s.SweepLeftovers(t.Context(), func() {})
				swept <- err
			}()
			select {
			case <-swept:
				t.Error("the sweep did not wait")
			case <-time.After(30 * time.Millisecond):
			}
		}
		return nil
	}))
	if err := s.CreateKey(t.Context(), keyOf(one, "acme")); err != nil {
		t.Fatal(err)
	}
	if err := <-swept; err != nil {
		t.Error(err)
	}
	check(t, d, 0)
	if d.Holds("owner/acme") == "" {
		t.Error("the sweep removed the owner")
	}
}

func TestTroubleWithASweepIsAnError(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"owner/", "owner-key/", "owner-key/acme/00/", "role-key/", "role-key/web/", "role-key/web/u1-0/00/"} {
		d, s := mount(t, one)
		d.Intercept(memory.Before(func(op, path string) error {
			if op == "list" && path == folder {
				return errDisk
			}
			return nil
		}))
		if _, err := s.SweepLeftovers(t.Context(), func() {}); !errors.Is(err, errDisk) {
			t.Errorf("without %s it answered %v", folder, err)
		}
		d.Intercept(nil)
		check(t, d, 0)
	}
}
