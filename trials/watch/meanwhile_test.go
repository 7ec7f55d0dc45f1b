package watch

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/memory"
)

// during has something happen before the first call of storage of this kind has an
// effect.
func (w *watched) during(call string, happens func()) (happened func() bool) {
	done := false
	w.Storage.Intercept(func(_ context.Context, c memory.Call, effect func()) error {
		if !done && c.String() == call {
			done = true
			happens()
		}
		effect()
		return nil
	})
	return func() bool {
		w.Storage.Intercept(nil)
		return done
	}
}

// A use that comes while somebody writes the honeytoken disables what it disables.
func TestAUseWhileItIsChangedDisables(t *testing.T) {
	for what, data := range map[string]func(w *watched) fields{
		"described":   func(*watched) fields { return fields{"description": "in the vault"} },
		"armed again": func(w *watched) fields { return fields{"disables": []string{w.id}} },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := planted(t)
			happened := w.during("put honeytoken/wiki", func() { w.use(1) })
			w.Must("honeytokens/wiki", data(w))
			if !happened() {
				t.Fatal("nothing came between")
			}
			settle()
			if got := w.disabled(); got != "true honeytoken wiki" || w.hits() != 1 {
				t.Errorf("%s: after %d hits the key is %s", what, w.hits(), got)
			}
		})
	}
}

// resting is what planted is, with a writer that has just written and rests for a
// second.
func resting(t *testing.T) *watched {
	w := planted(t)
	w.Must("verify", fields{"key": w.Must("honeytokens/other", fields{"role": "web"}).Key()})
	synctest.Wait()
	return w
}

// To name other keys, or none, forgets nothing that is still to be done.
func TestWrittenBeforeItDisabledItDisables(t *testing.T) {
	for _, again := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := resting(t)
			named := []string{}
			if again {
				named = append(named, w.id)
			}
			w.use(1)
			w.Must("honeytokens/wiki", fields{"disables": named})
			settle()
			a := w.alert("honeytoken_used.wiki")
			if got := w.disabled(); got != "true honeytoken wiki" || fmt.Sprint(a.Data["actions"]) != fmt.Sprintf("[map[key_id:%s result:disabled]]", w.id) {
				t.Errorf("with %v the key is %s, and the alert %v", named, got, a.Data)
			}
		})
	}
}

// Another honeytoken of the same name is another one, also to an alert that is open.
func TestAnAlertFollowsTheHoneytokenOfItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := planted(t)
		w.Must("honeytokens/wiki", fields{"disables": []string{}})
		w.use(5)
		settle()
		w.Do(logical.DeleteOperation, "honeytokens/wiki", nil)
		w.trap = w.Must("honeytokens/wiki", fields{"role": "web", "disables": []string{w.id}}).Key()
		settle()
		// The process dies when the alert is written, and the honeytoken not yet.
		f := &memory.Fault{At: 1, Kind: memory.Outage, Cancel: func() {}}
		w.Faulty = true
		w.Storage.Intercept(f.Around)
		w.use(1)
		synctest.Wait()
		after := w.kill()
		after.Faulty = true
		settle()
		if got := after.disabled(); !f.Struck() || got != "true honeytoken wiki" || after.hits() != 1 {
			t.Errorf("after %d hits the key is %s", after.hits(), got)
		}
	})
}

// What is seen while an alert is acknowledged is not acknowledged.
func TestAUseWhileItsAlertIsDeletedRaisesItAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := planted(t)
		w.use(3)
		settle()
		happened := w.during("delete alert/honeytoken_used.wiki", func() { w.use(1) })
		if a := w.Do(logical.DeleteOperation, "alerts/honeytoken_used.wiki", nil); !happened() || a.Status != http.StatusNoContent {
			t.Fatal(a.Status)
		}
		w.Restart()
		if a := w.alert("honeytoken_used.wiki"); a.Data["count"] != 1.0 || w.hits() != 4 {
			t.Errorf("after %d hits the alert is %v", w.hits(), a.Data)
		}
	})
}

// An alert that could not be deleted is as it was, with what was seen since.
func TestAnAlertThatCannotBeDeletedStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := planted(t)
		w.use(3)
		settle()
		w.Faulty = true
		f := &memory.Fault{Kind: memory.Once, Cancel: func() {}}
		w.Storage.Intercept(f.Around)
		if a := w.Do(logical.DeleteOperation, "alerts/honeytoken_used.wiki", nil); a.Status != http.StatusInternalServerError {
			t.Fatal(a.Status)
		}
		w.use(1)
		settle()
		if a := w.alert("honeytoken_used.wiki"); a.Data["count"] != 4.0 || len(fmt.Sprint(a.Data["actions"])) < 10 {
			t.Errorf("it is %v", a.Data)
		}
	})
}

// Vault asks whether there is one before it passes a write on, and lets an error end it.
func TestAStandbyLetsAWriteOfAHoneytokenPass(t *testing.T) {
	w := planted(t)
	w.System.Become(consts.ReplicationPerformanceStandby)
	w.Restart()
	for _, name := range []string{"wiki", "new"} {
		if _, _, err := w.Backend.HandleExistenceCheck(t.Context(), &logical.Request{Operation: logical.CreateOperation, Path: "honeytokens/" + name, Storage: w.Storage}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A honeytoken is never ahead of its alert in storage, whoever writes it.
func TestAUseThatAChangeWritesHasItsAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := resting(t)
		w.use(1)
		w.Must("honeytokens/wiki", fields{"description": "in the vault"})
		after := w.kill()
		settle()
		if a := after.alert("honeytoken_used.wiki"); after.hits() != 1 || a.Data["count"] != 1.0 {
			t.Errorf("after %d hits the alert is %v", after.hits(), a.Data)
		}
	})
}

// Who deletes a honeytoken that was used does not undo what that was to do.
func TestAUseJustBeforeTheHoneytokenIsDeletedDisables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := resting(t)
		w.use(1)
		if a := w.Do(logical.DeleteOperation, "honeytokens/wiki", nil); a.Status != http.StatusNoContent {
			t.Fatal(a.Status)
		}
		settle()
		a := w.alert("honeytoken_used.wiki")
		if got := w.disabled(); got != "true honeytoken wiki" || a.Data["count"] != 1.0 || fmt.Sprint(a.Data["actions"]) != fmt.Sprintf("[map[key_id:%s result:disabled]]", w.id) {
			t.Errorf("the key is %s, the alert %v", got, a.Data)
		}
	})
}
