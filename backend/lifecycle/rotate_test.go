package lifecycle

import (
	"errors"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

func TestARotationCarriesEverythingOnButTheSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.issue()
	w.clock.Move(hour)
	m, err := w.RotateByKey(t.Context(), old.Text.Presented(), RotateRequest{Asker: Asker{Holder: "t2"}})
	w.must(err)
	k := w.key(old.Key.ID)
	if m.Text.ID != k.ID || m.Text.Version != 2 || m.Text.Prefix != "vak" || k.Owner != "acme" || k.CreatedAt != start || len(k.Versions) != 2 {
		t.Errorf("it is %+v", k)
	}
	now := start.Add(hour)
	if v := k.Current(); v.Number != 2 || v.CreatedAt != now || v.ExpiresAt != now.Add(10*hour) || v.Lifetime != 10*hour || v.Holder != "" {
		t.Errorf("the new version is %+v", v)
	}
	// The role's grace of a day ends with the version's own ten hours.
	if p := m.Previous; p.Number != 1 || p.SupersededAt != now || p.ValidUntil != start.Add(10*hour) {
		t.Errorf("the previous version is %+v", p)
	}
	if w.code(old) != verify.Valid || w.code(m) != verify.Valid {
		t.Errorf("they are %s and %s", w.code(old), w.code(m))
	}
	w.clock.Move(9 * hour)
	if w.code(old) != verify.Superseded || w.code(m) != verify.Valid {
		t.Errorf("after the grace they are %s and %s", w.code(old), w.code(m))
	}
	if got := w.events[len(w.events)-1]; got != "rotate "+k.ID {
		t.Errorf("the event is %q", got)
	}
}

func TestTheLifeAndGraceOfARotation(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		issued   record.Seconds
		role     func(r *record.Role)
		request  RotateRequest
		lifetime record.Seconds
		grace    record.Seconds // from now
	}{
		"the role's":                      {0, nil, RotateRequest{}, 10 * hour, 10 * hour},
		"no grace":                        {0, nil, RotateRequest{Grace: new(record.Seconds(0))}, 10 * hour, 0},
		"the grace that was asked for":    {0, nil, RotateRequest{Grace: new(hour)}, 10 * hour, hour},
		"the lifetime that was asked for": {0, nil, RotateRequest{TTL: 3 * hour}, 3 * hour, 10 * hour},
		"the lifetime it was issued with": {4 * hour, nil, RotateRequest{Grace: new(hour)}, 4 * hour, hour},
		"under today's caps":              {4 * hour, func(r *record.Role) { r.MaxTTL = 2 * hour }, RotateRequest{Grace: new(hour)}, 2 * hour, hour},
		"the role's of today":             {0, func(r *record.Role) { r.TTL, r.GracePeriod = 30*hour, 5*hour }, RotateRequest{}, 30 * hour, 5 * hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			old, err := w.Issue(t.Context(), IssueRequest{Role: "web", Want: record.Request{TTL: tc.issued}})
			w.must(err)
			if tc.role != nil {
				w.role("web", tc.role)
			}
			m, err := w.Rotate(t.Context(), Target{ID: old.Key.ID}, tc.request)
			w.must(err)
			if m.Key.Current().Lifetime != tc.lifetime || m.Previous.ValidUntil != start.Add(tc.grace) || m.Key.TTL != tc.issued {
				t.Errorf("it lives for %d, the old one until %+d", m.Key.Current().Lifetime, m.Previous.ValidUntil.Sub(start))
			}
		})
	}
}

// refusals are all states of things in which a key is not rotated.
var refusals = map[string]struct {
	do    func(w *world, m Minted, target *Target, r *RotateRequest)
	byKey bool
	is    func(error) bool
	early bool // it is refused before anything can change meanwhile
}{
	"a revoked key":  {do: func(w *world, m Minted, _ *Target, _ *RotateRequest) { w.revokeNow(m) }, is: is(record.ErrKeyNotActive)},
	"an expired key": {do: func(w *world, _ Minted, _ *Target, _ *RotateRequest) { w.clock.Move(10 * hour) }, is: is(record.ErrKeyNotActive)},
	"a disabled key": {do: func(w *world, m Minted, _ *Target, _ *RotateRequest) { w.disable(m) }, is: is(record.ErrKeyNotActive)},
	"a disabled role": {do: func(w *world, _ Minted, _ *Target, _ *RotateRequest) {
		w.role("web", func(r *record.Role) { r.Disabled = true })
	}, is: is(record.ErrRoleDisabled)},
	"another role": {do: func(w *world, _ Minted, _ *Target, _ *RotateRequest) {
		w.role("web", func(r *record.Role) { r.UID = "u2" })
	}, is: is(record.ErrKeyNotActive)},
	"a grace too long": {do: func(w *world, _ Minted, _ *Target, r *RotateRequest) {
		r.Grace = new(hour)
		w.role("web", func(r *record.Role) { r.MaxGracePeriod = hour - 1 })
	}, is: func(err error) bool { return errors.As(err, new(record.Mistake)) }},
	"another version": {do: func(_ *world, _ Minted, _ *Target, r *RotateRequest) { r.ExpectedVersion = new(2) }, is: is(record.ErrVersionDiffers), early: true},
	"another owner":   {do: func(_ *world, _ Minted, target *Target, _ *RotateRequest) { target.Owner = "eve" }, is: is(record.ErrKeyNotFound), early: true},
	"an unknown id":   {do: func(_ *world, _ Minted, target *Target, _ *RotateRequest) { target.ID = strings.Repeat("0", 16) }, is: is(record.ErrKeyNotFound), early: true},
	"no id":           {do: func(_ *world, _ Minted, target *Target, _ *RotateRequest) { target.ID = "../tag-key" }, is: is(record.ErrKeyNotFound), early: true},
	"a key that is deleted": {do: func(w *world, m Minted, _ *Target, _ *RotateRequest) {
		w.must(w.Delete(w.Context(), Target{ID: m.Key.ID}))
	}, is: is(record.ErrKeyNotFound)},
	"the last version": {do: func(w *world, m Minted, _ *Target, _ *RotateRequest) {
		_, err := w.Store.UpdateKey(w.Context(), m.Key.ID, func(k *record.Key) error { k.Versions[0].Number = apikey.MaxVersion; return nil })
		w.must(err)
	}, is: is(record.ErrLastVersion), early: true},
	"a superseded version, presented": {do: func(w *world, m Minted, _ *Target, _ *RotateRequest) { w.rotateNow(m) }, byKey: true, is: is(record.ErrNotNewest)},
}

func (w *world) revokeNow(m Minted) {
	w.Helper()
	_, err := w.Revoke(w.Context(), Target{ID: m.Key.ID}, "")
	w.must(err)
}

func (w *world) rotateNow(m Minted) {
	w.Helper()
	_, err := w.Rotate(w.Context(), Target{ID: m.Key.ID}, RotateRequest{})
	w.must(err)
}

func (w *world) disable(m Minted) {
	w.Helper()
	_, err := w.Update(w.Context(), Target{ID: m.Key.ID}, record.Change{Disabling: record.Disabling{Disabled: new(true)}})
	w.must(err)
}

func TestOnlyAnActiveKeyIsRotated(t *testing.T) {
	t.Parallel()
	for name, tc := range refusals {
		for _, meanwhile := range []bool{false, true} {
			if meanwhile && tc.early {
				continue
			}
			t.Run(map[bool]string{false: name, true: name + ", meanwhile"}[meanwhile], func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				m := w.issue()
				target, r := Target{ID: m.Key.ID, Owner: "acme"}, RotateRequest{}
				if name == "a grace too long" {
					r.Grace = new(hour)
				}
				var events, writes int
				before := func() {
					tc.do(w, m, &target, &r)
					events, writes = len(w.events), w.disk.Writes()
				}
				if w.code(m); meanwhile {
					w.during = before
				} else {
					before()
				}
				var err error
				if tc.byKey {
					_, err = w.RotateByKey(t.Context(), m.Text.Presented(), r)
				} else {
					_, err = w.Rotate(t.Context(), target, r)
				}
				if !tc.is(err) {
					t.Errorf("it answered %v", err)
				}
				if len(w.events) != events || w.disk.Writes() != writes {
					t.Errorf("it wrote or said something: %q", w.events[events:])
				}
			})
		}
	}
}

func TestOfTwoRotationsAtOnceOneIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.issue()
	var first Minted
	w.during = func() {
		var err error
		first, err = w.Rotate(t.Context(), Target{ID: m.Key.ID}, RotateRequest{})
		w.must(err)
	}
	second, err := w.Rotate(t.Context(), Target{ID: m.Key.ID}, RotateRequest{})
	if !errors.Is(err, record.ErrRotatedAlready) || second.Text.Reveal() != "" {
		t.Errorf("the second answered %q, %v", second.Text, err)
	}
	if got := w.code(first); got != verify.Valid {
		t.Errorf("the first one's key is %s", got)
	}
	if k := w.key(m.Key.ID); k.Current().Number != 2 {
		t.Errorf("the newest is %d", k.Current().Number)
	}
}

func TestAKeyThatIsNotProvenIsNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m, other := w.issue(), newWorld(t).issue()
	forgotten := w.issue()
	w.rotateNow(forgotten)
	w.clock.Move(9 * hour)
	_, err := w.Store.UpdateKey(t.Context(), forgotten.Key.ID, func(k *record.Key) error { k.Forget(0, start.Add(11*hour)); return nil })
	w.must(err)
	changed := []byte(m.Text.Reveal())
	changed[len(changed)-1] ^= 1 // of a letter or digit, always another character
	for name, key := range map[string]apikey.Presented{
		"another mount's": other.Text.Presented(), "a text": apikey.Present("hello"), "nothing": {}, "a changed one": apikey.Present(string(changed)), "a forgotten one": forgotten.Text.Presented(),
	} {
		w.quiet(func() {
			if _, err := w.RotateByKey(t.Context(), key, RotateRequest{}); err != record.ErrKeyNotFound {
				t.Errorf("%s: rotate answered %v", name, err)
			}
			if _, err := w.RevokeByKey(t.Context(), key, ""); err != record.ErrKeyNotFound {
				t.Errorf("%s: revoke answered %v", name, err)
			}
		})
	}
}

func TestWhatARotationWarnsOf(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		previous, next record.Version
		grace          record.Seconds
		want           []string // a word of each
	}{
		"nothing, unleased":                         {record.Version{Lifetime: 300}, record.Version{}, 0, nil},
		"nothing, to the same holder":               {record.Version{Lifetime: 300, Leased: true, Holder: "a"}, record.Version{Leased: true, Holder: "a"}, 200, nil},
		"a grace below two thirds of the lease":     {record.Version{Lifetime: 300, Leased: true, Holder: "a"}, record.Version{Leased: true, Holder: "a"}, 199, []string{"grace"}},
		"another token than the holder's":           {record.Version{Lifetime: 300, Leased: true, Holder: "a"}, record.Version{Leased: true, Holder: "b"}, 200, []string{"token"}},
		"both":                                      {record.Version{Lifetime: 300, Leased: true, Holder: "a"}, record.Version{Leased: true, Holder: "b"}, 0, []string{"grace", "token"}},
		"nothing of tokens, to an unleased version": {record.Version{Lifetime: 300, Leased: true, Holder: "a"}, record.Version{}, 300, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := rotationWarnings(&tc.previous, tc.next, draft{grace: tc.grace})
			for i := range tc.want {
				if i >= len(got) || !strings.Contains(got[i], tc.want[i]) {
					t.Errorf("it warns %q", got)
				}
			}
			if len(got) != len(tc.want) {
				t.Errorf("it warns %q", got)
			}
		})
	}
}
