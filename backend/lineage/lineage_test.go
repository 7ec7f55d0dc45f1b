package lineage_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/ends"
	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
)

// mount has the keys child, parent and root, of role web, and a clock that stands.
type mount struct {
	keys map[string]record.Key
	role record.Role
}

func (m *mount) Key(_ context.Context, id string) (record.Key, bool, error) {
	k, found := m.keys[id]
	return k, found, nil
}

func (m *mount) Role(context.Context, string) (record.Role, bool, error) { return m.role, true, nil }

func (m *mount) Owner(context.Context, string) (record.Owner, bool, error) {
	return record.Owner{}, false, nil
}

func (*mount) Uses(context.Context, string) (record.Uses, error)         { return record.Uses{}, nil }
func (*mount) UsageGaps(context.Context, record.Time) (idle.Gaps, error) { return nil, nil }

func (*mount) Now() record.Time               { return 2000 }
func (*mount) Elapsed() time.Duration         { return 0 }
func (*mount) Undone(_, _ time.Duration) bool { return false }

func newMount() *mount {
	m := &mount{keys: map[string]record.Key{}, role: record.Role{
		UID: "u1", AllowedScopes: []string{"*"}, Metadata: map[string]string{"tier": "gold"}, RequireScopes: true,
		Limits: record.Limits{Quota: 5},
	}}
	for id, parent := range map[string]string{"child": "parent", "parent": "root", "root": ""} {
		m.keys[id] = record.Key{
			ID: id, Role: "web", RoleUID: "u1", Parent: parent, CreatedAt: 1000, Scopes: []string{"read"},
			Versions: []record.Version{{Number: 1, CreatedAt: 1000, ExpiresAt: 9000}},
		}
	}
	return m
}

func (m *mount) of(t *testing.T, id string) lineage.Lineage {
	t.Helper()
	r := lineage.Resolver{Reader: m, Idle: idle.New(m, m, func() bool { return true }, m), Ends: ends.New(m), Clock: m}
	l, err := r.Resolve(t.Context(), m.keys[id], m.Now())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAnotherRoleOfTheNameIsNoRole(t *testing.T) {
	t.Parallel()
	for _, of := range []string{"child", "parent", "root"} {
		m := newMount()
		k := m.keys[of]
		k.RoleUID = "u0"
		m.keys[of] = k
		l := m.of(t, "child")
		for _, each := range append([]lineage.Lineage{l}, l.Ancestors...) {
			if got := each.Standing.Role != nil; got != (each.Key.ID != of) {
				t.Errorf("where %s is of another role, %s has one: %v", of, each.Key.ID, got)
			}
		}
		want := record.ParentEnded
		if of == "child" {
			want = record.Revoked
		}
		if got := l.State(m.Now()); got != want || !l.Key.Ended(l.Standing, m.Now()) {
			t.Errorf("where %s is of another role, the child is %s", of, got)
		}
	}
}

func TestWithoutARoleNothingIsLeft(t *testing.T) {
	t.Parallel()
	m := newMount()
	l := m.of(t, "root")
	if len(l.Scopes()) != 1 || len(l.Metadata()) != 1 || l.Limits().Quota != 5 || !l.RequiresScopes() || !l.Admits(netip.Addr{}) {
		t.Errorf("with its role it has %q, %v, %+v", l.Scopes(), l.Metadata(), l.Limits())
	}
	m.role.UID = "u2"
	l = m.of(t, "root")
	if len(l.Scopes()) != 0 || len(l.Metadata()) != 0 || l.Limits() != (record.Limits{}) || l.RequiresScopes() || l.Admits(netip.Addr{}) {
		t.Errorf("with another role of the name it has %q, %v, %+v", l.Scopes(), l.Metadata(), l.Limits())
	}
}
