package lifecycle

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/trials/memory"
)

func TestAKeyThatIssueAnsweredWithVerifies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m, err := w.Issue(t.Context(), IssueRequest{
		Role: "web",
		Want: record.Request{Owner: "acme", Name: "label", TTL: hour, Scopes: &[]string{"read"}},
		By:   record.Creator{DisplayName: "token", EntityID: "e1"}, Asker: Asker{Holder: "t1"},
	})
	w.must(err)
	if got := w.code(m); got != verify.Valid {
		t.Errorf("it is %s", got)
	}
	k := w.key(m.Key.ID)
	k.Versions[0].Hash = keyhash.PHC{}
	want := record.Version{Number: 1, CreatedAt: start, ExpiresAt: start.Add(hour), Until: start.Add(hour), Lifetime: hour}
	if len(k.Versions) != 1 || !reflect.DeepEqual(k.Versions[0], want) {
		t.Errorf("its version is %+v", k.Versions)
	}
	if k.Prefix != "vak" || k.Role != "web" || k.RoleUID != "u1" || k.Owner != "acme" || k.Name != "label" || k.TTL != hour ||
		k.CreatedAt != start || k.CreatedBy.EntityID != "e1" || !slices.Equal(k.Scopes, []string{"read"}) {
		t.Errorf("its record is %+v", k)
	}
	if m.Text.ID != k.ID || m.Text.Version != 1 || m.Previous != nil || m.Warnings != nil {
		t.Errorf("the answer is %+v", m)
	}
	if !slices.Equal(w.events, []string{"issue " + k.ID}) {
		t.Errorf("the events are %q", w.events)
	}
	paths := []string{}
	w.each(func(path, value string) {
		paths = append(paths, path)
		if strings.Contains(value, m.Text.Reveal()[30:]) || strings.Contains(path, m.Text.Reveal()[30:]) {
			t.Errorf("%s holds the secret", path)
		}
	})
	if len(paths) < 6 {
		t.Errorf("looked at %q only", paths)
	}
}

func TestWhatAVersionIsUnderItsRole(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		role     func(r *record.Role)
		ttl      record.Seconds
		want     record.Version
		warnings int
	}{
		"unleased it ends with its lifetime":       {func(*record.Role) {}, 0, record.Version{Lifetime: 10 * hour, ExpiresAt: start.Add(10 * hour), Until: start.Add(10 * hour)}, 0},
		"leased it can be renewed to the maximum":  {func(r *record.Role) { r.GenerateLease, r.MaxTTL = true, 50*hour }, 0, record.Version{Lifetime: 10 * hour, ExpiresAt: start.Add(10 * hour), Until: start.Add(50 * hour), Leased: true, Holder: "t1"}, 0},
		"a longer ttl is shortened with a warning": {func(r *record.Role) { r.MaxTTL = 5 * hour }, 6 * hour, record.Version{Lifetime: 5 * hour, ExpiresAt: start.Add(5 * hour), Until: start.Add(5 * hour)}, 1},
		"without a ttl it has the mount's":         {func(r *record.Role) { r.TTL = 0 }, 0, record.Version{Lifetime: 20 * hour, ExpiresAt: start.Add(20 * hour), Until: start.Add(20 * hour)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.role("web", tc.role)
			m, err := w.Issue(t.Context(), IssueRequest{Role: "web", Want: record.Request{TTL: tc.ttl}, Asker: Asker{Holder: "t1"}})
			w.must(err)
			got := m.Key.Versions[0]
			got.Hash = keyhash.PHC{}
			tc.want.Number, tc.want.CreatedAt = 1, start
			if !reflect.DeepEqual(got, tc.want) || len(m.Warnings) != tc.warnings {
				t.Errorf("it is %+v, with %q", got, m.Warnings)
			}
		})
	}
}

func TestWhatIssueRefusesLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do     func(w *world, r *IssueRequest)
		during bool // while the key is minted, rather than before
		is     func(error) bool
	}{
		"an unknown role":                   {do: func(_ *world, r *IssueRequest) { r.Role = "none" }, is: is(record.ErrRoleNotFound)},
		"a disabled role":                   {do: func(w *world, _ *IssueRequest) { w.role("web", func(r *record.Role) { r.Disabled = true }) }, is: is(record.ErrRoleDisabled)},
		"scopes beyond the role's":          {do: func(w *world, _ *IssueRequest) { w.role("web", func(r *record.Role) { r.AllowedScopes = nil }) }, is: func(err error) bool { return errors.As(err, new(record.Mistake)) }},
		"a role that is disabled meanwhile": {do: func(w *world, _ *IssueRequest) { w.role("web", func(r *record.Role) { r.Disabled = true }) }, during: true, is: is(record.ErrRoleDisabled)},
		"a role that is deleted meanwhile":  {do: func(w *world, _ *IssueRequest) { w.must(w.DeleteRole(t.Context(), "web")) }, during: true, is: is(record.ErrRoleNotFound)},
		"a role that is narrowed meanwhile": {do: func(w *world, _ *IssueRequest) { w.role("web", func(r *record.Role) { r.AllowedScopes = nil }) }, during: true, is: func(err error) bool { return errors.As(err, new(record.Mistake)) }},
		"storage trouble with the role": {do: func(w *world, _ *IssueRequest) {
			w.Store.Invalidate("role/web")
			w.disk.Intercept(memory.Before(fails("get", "role/")))
		}, is: is(errDisk)},
		"storage trouble with the tag key": {do: func(w *world, _ *IssueRequest) {
			w.Store.Invalidate("tag-key")
			w.disk.Intercept(memory.Before(fails("get", "tag-key")))
		}, is: is(errDisk)},
		"storage trouble with the record": {do: func(w *world, _ *IssueRequest) { w.disk.Intercept(memory.Before(fails("put", "key/"))) }, is: is(errDisk)},
		"storage trouble with a hint":     {do: func(w *world, _ *IssueRequest) { w.disk.Intercept(memory.Before(fails("put", "role-key/"))) }, is: is(errDisk)},
		"storage trouble with the configuration": {do: func(w *world, _ *IssueRequest) {
			w.Store.Invalidate("config")
			w.disk.Intercept(memory.Before(fails("get", "config")))
		}, is: is(errDisk)},
		"a source of randomness that is broken": {do: func(w *world, _ *IssueRequest) { w.Random = strings.NewReader("") }, is: func(err error) bool { return err != nil }},
		"a source that breaks after the id":     {do: func(w *world, _ *IssueRequest) { w.Random = strings.NewReader(strings.Repeat("x", 20)) }, is: func(err error) bool { return err != nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := IssueRequest{Role: "web", Want: record.Request{Scopes: &[]string{"read"}}}
			if tc.during {
				w.during = func() { tc.do(w, &r) }
			} else {
				tc.do(w, &r)
			}
			m, err := w.Issue(t.Context(), r)
			if !tc.is(err) || m.Text.Reveal() != "" {
				t.Errorf("it answered %q, %v", m.Text, err)
			}
			if len(w.events) != 0 {
				t.Errorf("the events are %q", w.events)
			}
			w.disk.Intercept(nil)
			if ids, err := w.disk.List(t.Context(), "key/"); len(ids) != 0 || err != nil {
				t.Errorf("it left %q, %v", ids, err)
			}
		})
	}
}

func TestAKeyIsOfTheRoleAsItIsWhenItIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.during = func() {
		w.role("web", func(r *record.Role) {
			r.Prefix, r.TTL, r.GenerateLease, r.DefaultScopes = "later", 2*hour, false, []string{"read"}
		})
	}
	m := w.issue()
	if m.Key.Prefix != "vak" || m.Text.Prefix != "vak" {
		t.Errorf("the record's prefix is %q, the key's %q", m.Key.Prefix, m.Text.Prefix)
	}
	if m.Key.Current().Lifetime != 2*hour || !slices.Equal(m.Key.Scopes, []string{"read"}) || m.Standing.Role.Prefix != "later" {
		t.Errorf("it is %+v", m.Key)
	}
	if got := w.code(m); got != verify.Valid {
		t.Errorf("it is %s", got)
	}
}

// tenant renders every template as this owner.
func tenant(owner string, err error) func(string) (string, error) {
	return func(string) (string, error) { return owner, err }
}

func TestATemplateSaysWhoseKeyItIsAndNobodyElseDoes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		owner  string
		render func(string) (string, error)
		want   string // "" for a mistake
	}{
		"what it renders to":            {"", tenant("acme", nil), "acme"},
		"an owner who was chosen":       {"acme", tenant("acme", nil), ""},
		"an identity that it lacks":     {"", tenant("", errDisk), ""},
		"what is no name":               {"", tenant("a/b", nil), ""},
		"what renders to nobody's name": {"", tenant("", nil), ""},
	} {
		w := newWorld(t)
		w.role("web", func(r *record.Role) { r.OwnerTemplate = "{{identity.entity.name}}" })
		m, err := w.Issue(t.Context(), IssueRequest{Role: "web", Want: record.Request{Owner: tc.owner}, Render: tc.render})
		if m.Key.Owner != tc.want || (err == nil) != (tc.want != "") || err != nil && !isMistake(err) {
			t.Errorf("%s: the key is of %q, %v", name, m.Key.Owner, err)
		}
	}
}

func TestAKeyIsOfNobodyWhomAnEarlierTemplateNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, changed := range []string{"{{identity.entity.id}}", ""} {
		w.role("web", func(r *record.Role) { r.OwnerTemplate = "{{identity.entity.name}}" })
		w.during = func() { w.role("web", func(r *record.Role) { r.OwnerTemplate = changed }) }
		if _, err := w.Issue(t.Context(), IssueRequest{Role: "web", Render: tenant("acme", nil)}); err != ErrTemplateChanged {
			t.Errorf("it answered %v", err)
		}
	}
}
