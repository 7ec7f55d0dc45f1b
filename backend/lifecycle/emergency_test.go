package lifecycle

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/upkeep"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// stick makes the first such operation hang until release, and tells when it
// does.
func stick(d *memory.Storage, op, prefix string) (stuck <-chan struct{}, release func()) {
	reached, released := make(chan struct{}), make(chan struct{})
	var hung atomic.Bool
	d.Intercept(memory.Before(func(o, path string) error {
		if o == op && strings.HasPrefix(path, prefix) && !hung.Swap(true) {
			close(reached)
			<-released
		}
		return nil
	}))
	return reached, sync.OnceFunc(func() { close(released) })
}

// patience is how long a test waits for what should come at once.
const patience = 5 * time.Second

// An emergency is done while everybody else hangs in the middle of their work.
func TestAnEmergencyWaitsForNobodyElse(t *testing.T) {
	t.Parallel()
	issue := func(w *world, _ Minted) error {
		_, err := w.Issue(w.Context(), IssueRequest{Role: "web", Want: record.Request{Owner: "acme"}})
		return err
	}
	rotate := func(w *world, m Minted) error {
		_, err := w.Rotate(w.Context(), Target{ID: m.Key.ID}, RotateRequest{})
		return err
	}
	works := map[string]struct {
		op, path string
		do       func(w *world, other Minted) error
	}{
		"an issuer who counts":               {"get", "owner-key/acme/", issue},
		"an issuer who reads a roster":       {"get", "roster/acme/", issue},
		"an issuer who writes a roster":      {"put", "roster/acme/", issue},
		"an issuer who writes hints":         {"put", "role-key/", issue},
		"an issuer who writes a record":      {"put", "key/", issue},
		"a rotation":                         {"put", "key/ID", rotate},
		"the deletion of a role":             {"get", "role-key/", func(w *world, _ Minted) error { return w.DeleteRole(w.Context(), "web") }},
		"the deletion of a role, its keys":   {"get", "key/", func(w *world, _ Minted) error { return w.DeleteRole(w.Context(), "web") }},
		"tidy among the owner's hints":       {"list", "owner-key/acme/", func(w *world, _ Minted) error { return w.tidyOnce() }},
		"tidy among the role's hints":        {"list", "role-key/", func(w *world, _ Minted) error { return w.tidyOnce() }},
		"tidy, where it mends another's key": {"get", "role-key/web/u1-0/ID", func(w *world, _ Minted) error { return w.tidyOnce() }},
	}
	emergencies := map[string]func(w *world, m Minted) error{
		"a stop of the owner": func(w *world, _ Minted) error { _, err := w.StopOwner(w.Context(), "acme", "", ""); return err },
		"a stop of the role":  func(w *world, _ Minted) error { _, err := w.StopRole(w.Context(), "web", "", ""); return err },
		"a disabled role": func(w *world, _ Minted) error {
			w.role("web", func(r *record.Role) { r.Disabled = true })
			return nil
		},
		"a revocation": func(w *world, m Minted) error {
			_, err := w.Revoke(w.Context(), Target{ID: m.Key.ID}, "")
			return err
		},
		"a revocation by key": func(w *world, m Minted) error {
			_, err := w.RevokeByKey(w.Context(), m.Text.Presented(), "")
			return err
		},
		"the end of a lease": func(w *world, m Minted) error { return w.EndLease(w.Context(), m.Key.ID, 1) },
		"a deletion":         func(w *world, m Minted) error { return w.Delete(w.Context(), Target{ID: m.Key.ID}) },
		"a disabled key": func(w *world, m Minted) error {
			_, err := w.Update(w.Context(), Target{ID: m.Key.ID}, record.Change{Disabling: record.Disabling{Disabled: new(true)}})
			return err
		},
	}
	for doing, work := range works {
		for what, emergency := range emergencies {
			t.Run(what+" beside "+doing, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.role("web", func(r *record.Role) { r.MaxKeysPerOwner = 10 })
				if strings.HasSuffix(doing, "who counts") {
					w.role("web", func(r *record.Role) { r.MaxKeysPerOwner = 0 })
				}
				m, other := w.issue(), w.issue()
				w.role("web", func(r *record.Role) { r.MaxKeysPerOwner = 10 })
				w.proofs.Add(m.Text.Presented(), m.Key.Current().Hash)
				for _, k := range []Minted{m, other} {
					w.Store.Invalidate("key/" + k.Key.ID[:2] + "/" + k.Key.ID)
				}
				stuck, release := stick(w.disk, work.op, strings.ReplaceAll(work.path, "ID", other.Key.ID[:2]+"/"+other.Key.ID))
				over := make(chan error, 1)
				defer func() { release(); <-over }()
				go func() { over <- work.do(w, other) }()
				select {
				case <-stuck:
				case <-time.After(patience):
					t.Fatal("the work did not get that far")
				}
				done := make(chan error, 1)
				go func() { done <- emergency(w, m) }()
				select {
				case err := <-done:
					if err != nil {
						t.Error(err)
					}
					if got := w.code(m); got == verify.Valid {
						t.Error("the key is still valid")
					}
				case <-time.After(patience):
					t.Error("it waits")
				}
			})
		}
	}
}

func (w *world) tidyOnce() error {
	tidier := upkeep.NewTidier(&upkeep.Mount{
		Store: w.Store, Resolver: w.Resolver, Clock: w.clock, Logger: w.Logger, Gone: w.Gone,
		Writable: func() bool { return true },
		Redated:  w.uses.Refresh,
	})
	tidier.Start()
	for tidier.Status().State == upkeep.TidyRunning {
		time.Sleep(time.Millisecond)
	}
	if s := tidier.Status(); s.State != upkeep.TidyDone {
		return errors.New(s.Error)
	}
	return nil
}

// What a stop or a change of the role finds half made is made anew, or refused:
// no key is answered that was ended before the answer.
func TestAKeyThatIsOvertakenIsMadeAnew(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		come func(w *world)
		err  error
	}{
		"a stop of the owner": {come: func(w *world) { _, err := w.StopOwner(w.Context(), "acme", "", ""); w.must(err) }},
		"a stop of the role":  {come: func(w *world) { _, err := w.StopRole(w.Context(), "web", "", ""); w.must(err) }},
		"a narrower role":     {come: func(w *world) { w.role("web", func(r *record.Role) { r.MaxTTL, r.TTL = hour, hour }) }},
		"a limit that begins": {come: func(w *world) { w.role("web", func(r *record.Role) { r.MaxKeysPerOwner = 1 }) }},
		"a limit that is reached": {come: func(w *world) {
			w.issue()
			w.role("web", func(r *record.Role) { r.MaxKeysPerOwner = 1 })
		}, err: record.ErrOwnerFull},
		"a disabled role": {come: func(w *world) { w.role("web", func(r *record.Role) { r.Disabled = true }) }, err: record.ErrRoleDisabled},
	} {
		for _, op := range []string{"owner-key/", "key/"} {
			t.Run(name+" at "+op, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				var came atomic.Bool
				w.disk.Intercept(memory.Before(func(o, path string) error {
					if o == "put" && strings.HasPrefix(path, op) && !came.Swap(true) {
						tc.come(w)
					}
					return nil
				}))
				m, err := w.Issue(t.Context(), IssueRequest{Role: "web", Want: record.Request{Owner: "acme"}})
				if !errors.Is(err, tc.err) {
					t.Fatalf("it answered %v", err)
				}
				if err != nil {
					n := 0
					w.each(func(path, _ string) {
						if strings.HasPrefix(path, "key/") {
							n++
						}
					})
					if want := map[bool]int{true: 1}[tc.err == record.ErrOwnerFull]; n != want {
						t.Errorf("storage has %d keys, want %d", n, want)
					}
					return
				}
				if got := w.code(m); got != verify.Valid {
					t.Errorf("the key is %s", got)
				}
				if m.Standing.Role.MaxTTL == hour && m.Key.Current().Lifetime != hour {
					t.Error("it has the lifetime of the old role")
				}
			})
		}
	}
}

func TestWhoeverIsOvertakenForEverGetsNoKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.disk.Intercept(memory.Before(func(o, path string) error {
		if o == "put" && strings.HasPrefix(path, "key/") {
			_, err := w.StopOwner(t.Context(), "acme", "", "")
			w.must(err)
		}
		return nil
	}))
	_, err := w.Issue(t.Context(), IssueRequest{Role: "web", Want: record.Request{Owner: "acme"}})
	if !errors.Is(err, errOvertaken) {
		t.Errorf("it answered %v", err)
	}
	w.each(func(path, _ string) {
		if strings.HasPrefix(path, "key/") {
			t.Errorf("it left %s", path)
		}
	})
}

func TestARotationAndARenewalThatAreOvertakenByAStopAreRefused(t *testing.T) {
	t.Parallel()
	for name, work := range map[string]func(w *world, m Minted) error{
		"a rotation": func(w *world, m Minted) error {
			_, err := w.Rotate(w.Context(), Target{ID: m.Key.ID}, RotateRequest{})
			return err
		},
		"a renewal": func(w *world, m Minted) error {
			_, err := w.Renew(w.Context(), RenewRequest{ID: m.Key.ID, Version: 1, Grant: func(l, _ record.Seconds) (record.Seconds, error) { return l, nil }})
			return err
		},
	} {
		w := newWorld(t)
		m := w.issue()
		w.disk.Intercept(memory.Before(func(o, path string) error {
			if o == "put" && strings.HasPrefix(path, "key/") {
				_, err := w.StopOwner(t.Context(), "acme", "", "")
				w.must(err)
			}
			return nil
		}))
		var conflict record.Conflict
		if err := work(w, m); !errors.As(err, &conflict) {
			t.Errorf("%s answered %v", name, err)
		}
		if got := w.code(m); got != verify.Revoked {
			t.Errorf("after %s the key is %s", name, got)
		}
	}
}
