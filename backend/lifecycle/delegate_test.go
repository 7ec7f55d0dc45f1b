package lifecycle

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// delegating is a world whose role lets its keys have children of children, and
// a key of it that holds read:* and write.
func delegating(t *testing.T) (*world, Minted) {
	w := newWorld(t)
	w.role("web", func(r *record.Role) { r.MaxDelegationDepth = 2 })
	m, err := w.Issue(t.Context(), IssueRequest{Role: "web", Want: record.Request{Owner: "acme", Scopes: &[]string{"read:*", "write"}}})
	w.must(err)
	return w, m
}

func (w *world) delegate(parent Minted, want record.Request) Minted {
	w.Helper()
	m, err := w.Delegate(w.Context(), DelegateRequest{Key: parent.Text.Presented(), Want: want})
	w.must(err)
	return m
}

func isMistake(err error) bool {
	var mistake record.Mistake
	return errors.As(err, &mistake)
}

func TestAChildIsOfItsParentAndWithinIt(t *testing.T) {
	t.Parallel()
	w, parent := delegating(t)
	w.role("web", func(r *record.Role) { r.GenerateLease, r.Prefix = true, "later" })
	w.clock.Move(hour)
	m, err := w.Delegate(t.Context(), DelegateRequest{
		Key:  parent.Text.Presented(),
		Want: record.Request{Name: "child", Metadata: map[string]string{"a": "b"}, Scopes: &[]string{"read:users"}, TTL: hour},
		By:   record.Creator{DisplayName: "gateway"},
	})
	w.must(err)
	k := w.key(m.Key.ID)
	if k.Parent != parent.Key.ID || k.Depth != 1 || k.Role != "web" || k.RoleUID != "u1" || k.Owner != "acme" || k.Prefix != "vak" || k.Name != "child" || k.CreatedBy.DisplayName != "gateway" {
		t.Errorf("its record is %+v", k)
	}
	v := k.Current()
	if v.Leased || v.Holder != "" || v.ExpiresAt != start.Add(2*hour) || v.Until != v.ExpiresAt || len(m.Warnings) != 0 {
		t.Errorf("its version is %+v, %q", v, m.Warnings)
	}
	if w.code(m) != verify.Valid || w.events[len(w.events)-1] != "issue "+k.ID {
		t.Errorf("it is %s; events %q", w.code(m), w.events)
	}
	all := w.delegate(parent, record.Request{})
	if !slices.Equal(all.Key.Scopes, []string{"read:*", "write"}) {
		t.Errorf("a child that asks for nothing holds %q", all.Key.Scopes)
	}
	grandchild := w.delegate(m, record.Request{})
	if grandchild.Key.Depth != 2 || grandchild.Key.Parent != k.ID || !slices.Equal(grandchild.Key.Scopes, []string{"read:users"}) {
		t.Errorf("its child is %+v", grandchild.Key)
	}
}

func TestAChildLivesNoLongerThanItsParent(t *testing.T) {
	t.Parallel()
	w, parent := delegating(t) // until ten hours after start
	w.clock.Move(4 * hour)
	for ttl, want := range map[record.Seconds]struct {
		lives    record.Seconds
		warnings int
	}{0: {6 * hour, 0}, 1: {1, 0}, 6 * hour: {6 * hour, 0}, 6*hour + 1: {6 * hour, 1}, 200 * hour: {6 * hour, 1}} {
		m := w.delegate(parent, record.Request{TTL: ttl})
		if got := m.Key.Current().ExpiresAt.Sub(w.clock.Now()); got != want.lives || len(m.Warnings) != want.warnings {
			t.Errorf("with a ttl of %d it lives for %d, %q", ttl, got, m.Warnings)
		}
	}
	child := w.delegate(parent, record.Request{TTL: 2 * hour})
	w.clock.Move(hour)
	w.role("web", func(r *record.Role) { r.GenerateLease = true })
	for ttl, want := range map[record.Seconds]record.Seconds{0: 2 * hour, 100 * hour: 5 * hour} {
		m, err := w.Rotate(t.Context(), Target{ID: child.Key.ID}, RotateRequest{TTL: ttl, Asker: Asker{Holder: "t1"}})
		w.must(err)
		if v := m.Key.Current(); v.Leased || v.Holder != "" || v.ExpiresAt.Sub(w.clock.Now()) != want {
			t.Errorf("rotated with a ttl of %d it is %+v", ttl, v)
		}
	}
}

func TestWhatDelegateRefuses(t *testing.T) {
	t.Parallel()
	anywhere, err := network.Parse([]string{"0.0.0.0/0"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		do   func(w *world, parent Minted, r *DelegateRequest)
		want func(error) bool
	}{
		"what is no key":       {func(_ *world, _ Minted, r *DelegateRequest) { r.Key = apikey.Present("vak_no") }, is(record.ErrKeyNotFound)},
		"a key that is gone":   {func(w *world, p Minted, _ *DelegateRequest) { w.must(w.Delete(w.Context(), Target{ID: p.Key.ID})) }, is(record.ErrKeyNotFound)},
		"a superseded version": {func(w *world, p Minted, _ *DelegateRequest) { w.rotateNow(p) }, is(record.ErrNotNewest)},
		"a revoked key":        {func(w *world, p Minted, _ *DelegateRequest) { w.revokeNow(p) }, is(record.ErrKeyNotActive)},
		"an expired key":       {func(w *world, _ Minted, _ *DelegateRequest) { w.clock.Move(10 * hour) }, is(record.ErrKeyNotActive)},
		"a disabled key":       {func(w *world, p Minted, _ *DelegateRequest) { w.disable(p) }, is(record.ErrKeyNotActive)},
		"a key of a disabled role": {func(w *world, _ Minted, _ *DelegateRequest) {
			w.role("web", func(r *record.Role) { r.Disabled = true })
		}, is(record.ErrRoleDisabled)},
		"a key of a stopped owner": {func(w *world, _ Minted, _ *DelegateRequest) {
			_, err := w.StopOwner(w.Context(), "acme", "", "")
			w.must(err)
		}, is(record.ErrKeyNotActive)},
		"a key of a stopped role": {func(w *world, _ Minted, _ *DelegateRequest) {
			_, err := w.StopRole(w.Context(), "web", "", "")
			w.must(err)
		}, is(record.ErrKeyNotActive)},
		"where the role lets none": {func(w *world, _ Minted, _ *DelegateRequest) {
			w.role("web", func(r *record.Role) { r.MaxDelegationDepth = 0 })
		}, is(ErrTooDeep)},
		"scopes beyond the parent": {func(_ *world, _ Minted, r *DelegateRequest) { r.Want.Scopes = &[]string{"admin"} }, isMistake},
		"a wider scope":            {func(_ *world, _ Minted, r *DelegateRequest) { r.Want.Scopes = &[]string{"*"} }, isMistake},
		"networks beyond":          {func(w *world, p Minted, r *DelegateRequest) { w.bind(p, "10.0.0.0/8"); r.Want.BoundCIDRs = &anywhere }, isMistake},
		"a looser rate": {func(w *world, p Minted, r *DelegateRequest) {
			w.limit(p, 5, 5)
			r.Want.Limits.RateLimit = new(int64(6))
		}, isMistake},
		"a looser quota": {func(w *world, p Minted, r *DelegateRequest) { w.limit(p, 5, 5); r.Want.Limits.Quota = new(int64(6)) }, isMistake},
		"a rate of another period": {func(w *world, p Minted, r *DelegateRequest) {
			w.limit(p, 5, 5)
			r.Want.Limits = record.LimitsChange{RateLimit: new(int64(5)), RateLimitPeriod: new(hour)}
		}, isMistake},
		"a name that is none": {func(_ *world, _ Minted, r *DelegateRequest) { r.Want.Name = "a\nb" }, isMistake},
		"an owner who has enough": {func(w *world, _ Minted, _ *DelegateRequest) {
			w.role("web", func(r *record.Role) { r.MaxKeysPerOwner = 1 })
		}, is(record.ErrOwnerFull)},
		"trouble with the storage":   {func(w *world, _ Minted, _ *DelegateRequest) { w.disk.Intercept(memory.Before(fails("put", "key/"))) }, is(errDisk)},
		"a source that is broken":    {func(w *world, _ Minted, _ *DelegateRequest) { w.Random = strings.NewReader("") }, func(err error) bool { return err != nil }},
		"a parent revoked meanwhile": {func(w *world, p Minted, _ *DelegateRequest) { w.during = func() { w.revokeNow(p) } }, is(record.ErrKeyNotActive)},
		"a parent rotated meanwhile": {func(w *world, p Minted, _ *DelegateRequest) { w.during = func() { w.rotateNow(p) } }, is(record.ErrNotNewest)},
		// The last look comes when the child's record is written.
		"a parent revoked at the write": {func(w *world, p Minted, _ *DelegateRequest) {
			w.disk.Intercept(memory.Before(func(op, path string) error {
				if op == "put" && strings.HasPrefix(path, "key/") && !strings.HasSuffix(path, p.Key.ID) {
					w.disk.Intercept(nil)
					w.revokeNow(p)
				}
				return nil
			}))
		}, is(record.ErrKeyNotActive)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, parent := delegating(t)
			r := DelegateRequest{Key: parent.Text.Presented()}
			tc.do(w, parent, &r)
			m, err := w.Delegate(t.Context(), r)
			if !tc.want(err) || m.Text.Reveal() != "" {
				t.Errorf("it answered %q, %v", m.Text, err)
			}
			w.disk.Intercept(nil)
			w.each(func(path, _ string) {
				if strings.HasPrefix(path, "key/") && !strings.HasSuffix(path, parent.Key.ID) {
					t.Errorf("it left %s", path)
				}
			})
		})
	}
}

// bind and limit change a key as its operator would.
func (w *world) bind(m Minted, networks ...string) {
	w.Helper()
	l, err := network.Parse(networks)
	w.must(err)
	_, err = w.Update(w.Context(), Target{ID: m.Key.ID}, record.Change{BoundCIDRs: &l})
	w.must(err)
}

func (w *world) limit(m Minted, rate, quota int64) {
	w.Helper()
	_, err := w.Update(w.Context(), Target{ID: m.Key.ID}, record.Change{Limits: record.LimitsChange{RateLimit: &rate, Quota: &quota}})
	w.must(err)
}

func TestAGrandchildIsWithinAllAboveIt(t *testing.T) {
	t.Parallel()
	w, root := delegating(t)
	w.limit(root, 5, 5)
	child := w.delegate(root, record.Request{Scopes: &[]string{"read:users"}})
	for name, want := range map[string]record.Request{
		"a scope of the root's": {Scopes: &[]string{"write"}},
		"more than the root's":  {Limits: record.LimitsChange{Quota: new(int64(6))}},
	} {
		if _, err := w.Delegate(t.Context(), DelegateRequest{Key: child.Text.Presented(), Want: want}); !isMistake(err) {
			t.Errorf("%s answered %v", name, err)
		}
	}
	grandchild := w.delegate(child, record.Request{Limits: record.LimitsChange{Quota: new(int64(5))}})
	if _, err := w.Delegate(t.Context(), DelegateRequest{Key: grandchild.Text.Presented()}); !errors.Is(err, ErrTooDeep) {
		t.Errorf("a third generation answered %v", err)
	}
	for name, change := range map[string]record.Change{
		"more scopes than the parent's": {Scopes: &[]string{"read:teams"}},
		"a larger quota":                {Limits: record.LimitsChange{Quota: new(int64(6))}},
	} {
		if _, err := w.Update(t.Context(), Target{ID: grandchild.Key.ID}, change); !isMistake(err) {
			t.Errorf("an update to %s answered %v", name, err)
		}
	}
	// When the root is narrowed, what is below it is, at once.
	_, err := w.Update(t.Context(), Target{ID: root.Key.ID}, record.Change{Scopes: &[]string{"write"}})
	w.must(err)
	d, err := w.verify.Verify(t.Context(), verify.Request{Key: grandchild.Text.Presented()})
	if err != nil || len(d.Scopes) != 0 || !d.Valid() {
		t.Errorf("then it holds %q, %v", d.Scopes, err)
	}
	w.revokeNow(root)
	if w.code(child) != verify.ParentEnded || w.code(grandchild) != verify.ParentEnded {
		t.Errorf("after the root's end they are %s and %s", w.code(child), w.code(grandchild))
	}
	if _, err := w.Update(t.Context(), Target{ID: grandchild.Key.ID}, record.Change{Name: new("n")}); !errors.Is(err, record.ErrKeyEnded) {
		t.Errorf("an update of what ended with it answered %v", err)
	}
	if _, err := w.Rotate(t.Context(), Target{ID: child.Key.ID}, RotateRequest{}); !errors.Is(err, record.ErrKeyNotActive) {
		t.Errorf("a rotation answered %v", err)
	}
}
