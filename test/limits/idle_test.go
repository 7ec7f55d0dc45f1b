package limits

import (
	"errors"
	"testing"
	"time"
)

// idleAfter is a timeout long enough for the requests in between on a busy machine.
const idleAfter = 5 * time.Second

func (e engine) idleRole(t *testing.T, more fields) {
	t.Helper()
	e.children(t, with(fields{"idle_timeout": "5s"}, more))
}

// idle waits until a key that was last used at a moment has expired.
func idle(last time.Time) { sleepUntil(last.Add(idleAfter + time.Second)) }

func TestAKeyThatNobodyUsesExpiresForGood(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.idleRole(t, nil)
	unused, used, refused := e.issue(t, nil), e.issue(t, nil), e.issue(t, fields{"bound_cidrs": []string{"10.0.0.1"}})
	created := time.Now()
	for time.Since(created) < idleAfter+2*time.Second {
		e.wantCode(t, "valid", used.text)
		// What is refused is no use.
		if d := e.verify(t, refused.text); d["code"] != "ip_denied" && d["code"] != "expired" {
			t.Fatalf("verify answers %v", d["code"])
		}
		time.Sleep(time.Second)
	}
	e.wantCode(t, "expired", unused.text)
	e.wantCode(t, "expired", refused.text)
	e.refused(t, 409, "rotate/"+unused.id, nil)
	e.refused(t, 409, "keys/"+unused.id, fields{"name": "changed"})
	e.refused(t, 409, "delegate", fields{"key": unused.text})
	wantFields(t, "a read", e.read(t, "keys/"+unused.id), fields{"status": "expired", "last_used_at": ""})
	// Raising the timeout, or taking it away, revives nothing.
	e.idleRole(t, fields{"idle_timeout": "1h"})
	e.wantCode(t, "expired", unused.text)
	e.idleRole(t, fields{"idle_timeout": 0})
	e.wantCode(t, "expired", unused.text)
	e.wantCode(t, "expired", refused.text)
	e.wantCode(t, "valid", used.text)
	eventually(t, "wait for the end to be written down", func() error {
		if at := moment(t, e.read(t, "keys/"+unused.id), "expires_at"); at.After(time.Now()) {
			return errors.New("the record does not know it")
		}
		return nil
	})
	// One with a use behind it, under a timeout that comes back later.
	e.idleRole(t, nil)
	e.wantCode(t, "valid", used.text)
	idle(time.Now())
	e.wantCode(t, "expired", used.text)
}

func TestAChildsUseKeepsItsAncestorsAlive(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.idleRole(t, nil)
	f := e.family(t, nil)
	sibling := e.delegate(t, f.root, nil)
	began := time.Now()
	for time.Since(began) < idleAfter+2*time.Second {
		e.wantCode(t, "valid", f.below.text)
		time.Sleep(time.Second)
	}
	e.wantCode(t, "valid", f.child.text)
	e.wantCode(t, "valid", f.root.text)
	e.wantCode(t, "expired", sibling.text)
}

func TestAnIdleParentEndsItsChildrenForGood(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.idleRole(t, nil)
	f := e.family(t, nil)
	idle(time.Now())
	for _, k := range []key{f.below, f.child, f.root} {
		e.wantCode(t, "expired", k.text)
	}
	e.idleRole(t, fields{"idle_timeout": "1h"})
	for _, k := range []key{f.root, f.child, f.below} {
		e.wantCode(t, "expired", k.text)
	}
}

func TestLastUsesAreShownOnKeysAndVersions(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.children(t, nil)
	first := e.issue(t, nil)
	child := e.delegate(t, first, nil)
	wantFields(t, "unused", e.read(t, "keys/"+first.id), fields{"last_used_at": ""})
	used := func(k key, text string) time.Time {
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1050 * time.Millisecond)))
		before := time.Now().Truncate(time.Second)
		e.wantCode(t, "valid", text)
		at := moment(t, e.read(t, "keys/"+k.id), "last_used_at")
		if at.Before(before) || at.After(time.Now()) {
			t.Errorf("last_used_at is %s, used at %s", at, before)
		}
		return at
	}
	ofFirst := used(first, first.text)
	second := e.rotate(t, first, nil)
	wantFields(t, "the new version", version(t, e.read(t, "keys/"+first.id), 0), fields{"version": 2, "last_used_at": ""})
	ofSecond := used(first, second.text)
	read := e.read(t, "keys/"+first.id)
	wantFields(t, "the new version", version(t, read, 0), fields{"last_used_at": ofSecond})
	wantFields(t, "the old one", version(t, read, 1), fields{"last_used_at": ofFirst})
	// A child's use is one of the key, through none of its versions.
	throughChild := used(first, child.text)
	read = e.read(t, "keys/"+first.id)
	wantFields(t, "the key", read, fields{"last_used_at": throughChild})
	wantFields(t, "its newest version", version(t, read, 0), fields{"last_used_at": ofSecond})
	wantFields(t, "the child", e.read(t, "keys/"+child.id), fields{"last_used_at": throughChild})
	// What is refused, and what proves a key elsewhere, is no use.
	e.wantCode(t, "insufficient_scope", second.text, fields{"scopes": []string{"none"}})
	e.rotate(t, first, nil)
	wantFields(t, "after refusals", e.read(t, "keys/"+first.id), fields{"last_used_at": throughChild})
}

func version(t *testing.T, read fields, at int) fields {
	t.Helper()
	list, _ := read["versions"].([]any)
	if at >= len(list) {
		t.Fatalf("there are %d versions", len(list))
	}
	v, _ := list[at].(map[string]any)
	return v
}
