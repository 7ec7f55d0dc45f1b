package models

import (
	"cmp"
	"slices"
	"time"
)

// look holds what the mount says of the key, its versions and its children against the
// model.
func (k *turns) look() {
	k.m.T.Helper()
	k.verify()
	k.read()
}

// verify asks all that can be asked at once.
func (k *turns) verify() {
	k.m.T.Helper()
	k.settle()
	late := k.versions[max(0, len(k.versions)-12):]
	var items []any
	var want []string
	valid := 0
	for _, v := range late {
		items, want = append(items, map[string]any{"key": v.text, "cost": 0}), append(want, k.code(v))
		if k.code(v) == "valid" {
			valid++
		}
	}
	for _, c := range k.children {
		items, want = append(items, map[string]any{"key": c.text, "cost": 0}), append(want, k.of(c))
	}
	for i, result := range k.m.Must("verify", map[string]any{"batch_input": items}).Data["batch_results"].([]any) {
		if got := result.(map[string]any)["code"]; got != want[i] {
			k.fail("at %d of %d versions and %d children number %d is %s, want %s", k.now(), len(late), len(k.children), i+1, got, want[i])
		}
	}
	if valid > 2 {
		k.fail("%d versions work", valid)
	}
}

func (k *turns) read() {
	k.m.T.Helper()
	a := k.m.Read("keys/" + k.id)
	if k.deleted {
		k.want(404, "read", a)
		return
	}
	current := k.current()
	status := map[bool]string{true: k.status(current), false: "disabled"}[k.ended() || !k.disabled]
	got := []any{a.Data["version"], a.Data["expires_at"], a.Data["status"], a.Data["disabled"]}
	if want := []any{float64(current.number), rfc3339(current.expires), status, k.disabled}; !slices.Equal(got, want) {
		k.fail("the key reads %v, want %v", got, want)
	}
	for _, shown := range a.Data["versions"].([]any) {
		s := shown.(map[string]any)
		v := k.versions[int(s["version"].(float64))-1]
		since := v.activated
		if v.waits == 0 {
			since = v.created
		}
		want := []any{k.status(v), rfc3339(v.superseded), rfc3339(v.until), rfc3339(v.waits), rfc3339(since), rfc3339(v.cancelled), rfc3339(v.expires)}
		got := []any{s["status"], s["superseded_at"], s["valid_until"], s["pending_until"], s["activated_at"], s["cancelled_at"], s["expires_at"]}
		if !slices.Equal(got, want) {
			k.fail("at %d version %d is shown as %v, want %v", k.now(), v.number, got, want)
		}
	}
}

// until lets time pass to a moment that lies ahead.
func (k *turns) until(at int64) {
	if left := at - k.now(); left > 0 {
		time.Sleep(time.Duration(left) * time.Second)
	}
	k.settle()
}

// endLeases is the end of the token that holds all leases.
func (k *turns) endLeases() {
	k.m.T.Helper()
	for _, v := range k.versions {
		k.endLease(v)
	}
}

// replaced is the version before the newest one, or the newest where there is none.
func (k *turns) replaced() *turn { return cmp.Or(k.before(k.newest().number), k.newest()) }
