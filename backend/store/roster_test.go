package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/inspect"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// counting is a store whose role web limits each owner's keys.
type counting struct {
	*testing.T
	*memory.Storage
	*store.Store
}

func counted(t *testing.T, limit int, ids ...string) *counting {
	d, s := mount(t, ids...)
	c := &counting{t, d, s}
	c.limit(limit)
	t.Cleanup(func() {
		problems, err := inspect.Mount(context.Background(), d.Clone(), now)
		for _, p := range problems {
			if strings.Contains(p.What, "roster") && !p.Leftover {
				t.Errorf("storage is damaged: %s", p)
			}
		}
		if err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *counting) limit(n int) {
	c.Helper()
	_, err := c.UpdateRole(c.Context(), "web", func(r record.Role, _ bool) (record.Role, error) {
		r.MaxKeysPerOwner = n
		return r, nil
	})
	if err != nil {
		c.Fatal(err)
	}
}

func (c *counting) role() record.Role {
	c.Helper()
	r, _, err := c.Role(c.Context(), "web")
	if err != nil {
		c.Fatal(err)
	}
	return r
}

func judge(k *record.Key) (record.Standing, error) { return record.Alone(k), nil }

// add makes a key of acme, if there is room.
func (c *counting) add(id string) error {
	k := keyOf(id, "acme")
	if err := c.Enrol(c.Context(), k, c.role(), now, judge); err != nil {
		return err
	}
	return c.CreateKey(c.Context(), k)
}

func (c *counting) want(err error, adding ...string) {
	c.Helper()
	for _, id := range adding {
		if got := c.add(id); !errors.Is(got, err) {
			c.Errorf("%s: %v", id, got)
		}
	}
}

func TestCountingCostsNothingForKeysThatHaveEnded(t *testing.T) {
	t.Parallel()
	c := counted(t, 3)
	for i := range 300 {
		id := idIn("aa", i)
		c.want(nil, id)
		revoke(t, c.Store, id)
		c.Invalidate("key/aa/" + id)
		if got := c.Noted("get"); i > 10 && len(got) > 3+2*3 {
			t.Fatalf("with %d ended keys it read %q", i, got)
		}
		c.Noted()
	}
	c.want(nil, idIn("bb", 1), idIn("bb", 2), idIn("bb", 3))
	c.want(record.ErrOwnerFull, idIn("bb", 4))
	c.Noted()
	fresh := store.New(c.Storage)
	if err := fresh.Enrol(t.Context(), keyOf(idIn("bb", 5), "acme"), c.role(), now, judge); !errors.Is(err, record.ErrOwnerFull) {
		t.Errorf("after a restart: %v", err)
	}
	if got := c.Noted("get", "list"); len(got) > 4 {
		t.Errorf("after a restart it asked %q", got)
	}
}

func TestALimitThatIsSetCountsTheKeysFromBefore(t *testing.T) {
	t.Parallel()
	c := counted(t, 2, idIn("aa", 1), idIn("aa", 2), idIn("aa", 3))
	c.want(record.ErrOwnerFull, idIn("aa", 4))
	revoke(t, c.Store, idIn("aa", 1))
	c.want(record.ErrOwnerFull, idIn("aa", 4))
	revoke(t, c.Store, idIn("aa", 2))
	c.want(nil, idIn("aa", 4))
	c.want(record.ErrOwnerFull, idIn("aa", 5))
	c.limit(0)
	if err := c.CreateKey(t.Context(), keyOf(idIn("ab", 1), "acme")); err != nil {
		t.Fatal(err)
	}
	c.limit(3) // what was made without a limit counts
	c.want(record.ErrOwnerFull, idIn("aa", 5))
	c.limit(4)
	c.want(nil, idIn("aa", 5))
	c.want(record.ErrOwnerFull, idIn("aa", 6))
}

func TestOfMoreKeysThanAnyLimitNoneIsOverlooked(t *testing.T) {
	t.Parallel()
	var ids []string
	for i := range record.MaxKeysPerOwner + 2 {
		ids = append(ids, idIn("aa", i))
	}
	c := counted(t, record.MaxKeysPerOwner, ids...)
	for i := range 3 {
		c.want(record.ErrOwnerFull, idIn("zz", 0))
		revoke(t, c.Store, ids[i*7])
	}
	c.want(nil, idIn("zz", 0))
	c.want(record.ErrOwnerFull, idIn("zz", 1))
}

// A key that nobody used may be alive again under a longer idle_timeout.
func TestAnIdleKeyMakesRoomAndKeepsItsPlace(t *testing.T) {
	t.Parallel()
	c := counted(t, 1)
	c.want(nil, idIn("aa", 1))
	idle := func(k *record.Key) (record.Standing, error) {
		s := record.Alone(k)
		s.IdleEnd = now
		return s, nil
	}
	second := keyOf(idIn("aa", 2), "acme")
	if err := c.Enrol(t.Context(), second, c.role(), now, idle); err != nil {
		t.Errorf("with an idle key: %v", err)
	}
	if err := c.CreateKey(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	revoke(t, c.Store, second.ID)
	c.want(record.ErrOwnerFull, idIn("aa", 3))
}

func TestADamagedRosterIsBegunAnewAndADamagedKeyCounts(t *testing.T) {
	t.Parallel()
	c := counted(t, 2)
	c.want(nil, idIn("aa", 1), idIn("aa", 2))
	for _, damage := range []string{"{", `{"v":2,"record":{}}`, `{"v":1,"record":{}}`} {
		c.Plant("roster/acme/web", damage)
		c.want(record.ErrOwnerFull, idIn("aa", 3))
	}
	c.Plant("key/aa/"+idIn("aa", 1), "no")
	c.Invalidate("key/aa/" + idIn("aa", 1))
	if err := c.add(idIn("aa", 3)); !errors.Is(err, record.ErrOwnerFull) {
		t.Errorf("with a record that cannot be read: %v", err)
	}
}

// A clock that was ahead has struck off what lives again when it is right.
func TestKeysThatAWrongClockStruckOffCountAgain(t *testing.T) {
	t.Parallel()
	c := counted(t, 2)
	c.want(nil, idIn("aa", 1), idIn("aa", 2))
	ahead, later := keyOf(idIn("aa", 3), "acme"), now.Add(record.MaxSeconds)
	ahead.Versions[0].ExpiresAt, ahead.Versions[0].Until = later+100, later+100
	if err := c.Enrol(t.Context(), ahead, c.role(), later, judge); err != nil {
		t.Fatal(err)
	}
	if err := c.CreateKey(t.Context(), ahead); err != nil {
		t.Fatal(err)
	}
	c.want(record.ErrOwnerFull, idIn("aa", 4))
	revoke(t, c.Store, ahead.ID)
	c.want(record.ErrOwnerFull, idIn("aa", 4))
	revoke(t, c.Store, idIn("aa", 1))
	c.want(nil, idIn("aa", 4))
}

func TestARefusalThatIsRepeatedWritesNothing(t *testing.T) {
	t.Parallel()
	c := counted(t, 1)
	c.want(nil, idIn("aa", 1))
	c.Noted()
	c.want(record.ErrOwnerFull, idIn("aa", 2), idIn("aa", 3))
	if got := c.Noted("put", "delete"); len(got) > 0 {
		t.Errorf("it wrote %q", got)
	}
}

// What a key's state depends on may be damaged: its parent, or its
// last uses.
func TestAKeyWhoseStandingCannotBeReadCounts(t *testing.T) {
	t.Parallel()
	c := counted(t, 1, one)
	unreadable := fmt.Errorf("load last use: %w", store.ErrUnreadable)
	judge := func(*record.Key) (record.Standing, error) { return record.Standing{}, unreadable }
	err := c.Enrol(t.Context(), keyOf(idIn("aa", 2), "acme"), c.role(), now, judge)
	if !errors.Is(err, record.ErrOwnerFull) {
		t.Errorf("a new key: %v", err)
	}
	err = c.DeleteRole(t.Context(), "web", now, judge)
	if !errors.Is(err, record.ErrRoleInUse) {
		t.Errorf("the role's deletion: %v", err)
	}
}

func TestTroubleWithARosterIsAnError(t *testing.T) {
	t.Parallel()
	for _, hook := range []func(op, path string) error{
		memory.On("get", "roster/", errDisk), memory.On("put", "roster/", errDisk), memory.On("list", "owner-key/acme/", errDisk),
		memory.On("get", "owner-key/acme/", errDisk), memory.On("get", "key/", errDisk),
	} {
		c := counted(t, 1, one)
		c.Invalidate("key/aa/" + one)
		c.Intercept(memory.Before(hook))
		if err := c.add(idIn("aa", 2)); !errors.Is(err, errDisk) {
			t.Errorf("it answered %v", err)
		}
	}
}

func TestRostersGoWithTheirCountAndTheirOwner(t *testing.T) {
	t.Parallel()
	c := counted(t, 2)
	c.want(nil, idIn("aa", 1))
	sweep := func(left bool) {
		t.Helper()
		if _, err := c.SweepLeftovers(context.Background(), func() {}); err != nil {
			t.Fatal(err)
		}
		if got := c.Holds("roster/acme/web") != ""; got != left {
			t.Errorf("the roster is there: %t", got)
		}
		check(t, c.Storage, 0)
	}
	sweep(true)
	c.limit(0)
	sweep(false)
	c.limit(2)
	c.want(nil, idIn("aa", 2))
	for i := range 2 {
		if _, err := c.DeleteKey(t.Context(), idIn("aa", i+1), func(*record.Key) bool { return false }); err != nil {
			t.Fatal(err)
		}
	}
	sweep(false)
	if i := slices.IndexFunc(c.Paths(), func(p string) bool { return strings.Contains(p, "acme") }); i >= 0 {
		t.Error(fmt.Sprint("left is ", c.Paths()[i]))
	}
}
