package lifecycle

import (
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

// write is a write of a role that sends this template.
func (w *world) write(name, template string) (record.Role, error) {
	return w.WriteRole(w.Context(), name, func(field string) bool { return field == "owner_template" },
		func(r *record.Role) error { r.OwnerTemplate = template; return nil })
}

func TestATemplateIsNotTakenAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.write("new", ""); err != record.ErrNoTemplate {
		t.Errorf("a new role with an empty template: %v", err)
	}
	if _, err := w.write("web", ""); err != nil {
		t.Errorf("a role that has none: %v", err)
	}
	if r, err := w.write("web", "{{identity.entity.name}}"); err != nil || r.UID != "u1" {
		t.Errorf("the role is %q, %v", r.UID, err)
	}
	if _, err := w.write("web", ""); err != record.ErrNoTemplate {
		t.Errorf("a role that has one: %v", err)
	}
	if r, _, _ := w.Store.Role(t.Context(), "web"); r.OwnerTemplate == "" {
		t.Error("a refused write took it away")
	}
}

func TestARoleThatIsMadeIsAnotherThanBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, err := w.write("new", "{{identity.entity.name}}")
	w.must(err)
	w.must(w.DeleteRole(t.Context(), "new"))
	second, err := w.write("new", "{{identity.entity.name}}")
	w.must(err)
	if first.UID == "" || first.UID == second.UID {
		t.Errorf("they are %q and %q", first.UID, second.UID)
	}
	if _, err := w.write("no name", ""); !isMistake(err) {
		t.Errorf("a role of no name: %v", err)
	}
}

func TestAConfigurationThatCannotBeRunWithIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, apply := range []func(*record.Config) error{
		func(c *record.Config) error { c.VerifyCacheSize = 0; return nil },
		func(*record.Config) error { return record.Mistake("no") },
	} {
		w.quiet(func() {
			if _, err := w.UpdateConfig(t.Context(), apply); !isMistake(err) {
				t.Errorf("it answered %v", err)
			}
		})
	}
}
