package models

import (
	"cmp"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing/synctest"
	"time"
)

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func within(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

func common(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}

func versionOf(k *modelKey, v *modelVersion) bool { return slices.Contains(k.versions, v) }

func rfc3339(seconds int64) string {
	if seconds == 0 {
		return ""
	}
	return time.Unix(seconds, 0).UTC().Format(time.RFC3339)
}

// verify asks for one random key and holds the answer against the model.
func (r *run) verify() {
	v := r.anyVersion()
	if v == nil {
		return
	}
	q := question{
		role:   r.pick("", "", "web", "svc"),
		ip:     r.pick("", "10.1.2.3", "10.2.2.2", "192.168.0.1"),
		scopes: r.some("a", "b"),
	}
	r.decided(v, q)
}

func (r *run) decided(v *modelVersion, q question) string {
	r.m.T.Helper()
	path, data := "verify", map[string]any{"key": v.text}
	if q.role != "" {
		path += "/" + q.role
	}
	if q.ip != "" {
		data["client_ip"] = q.ip
	}
	if len(q.scopes) > 0 {
		data["scopes"] = q.scopes
	}
	want := r.model.codes(v, q, r.now())
	a := r.counted(r.expect(http.StatusOK, r.write(path, data)))
	code := a.Str("code")
	if !slices.Contains(want, code) {
		r.m.T.Fatalf("version %d of %s is %s, the model says %v", v.number, v.key.id, code, want)
	}
	if valid := a.Data["valid"] == true; valid != (code == "valid") {
		r.m.T.Fatalf("valid=%t with code %s", valid, code)
	}
	switch code {
	case "invalid":
		if len(a.Data) != 3 {
			r.m.T.Fatalf("an unproven key's answer tells %v", a.Data)
		}
	case "valid":
		v.used = r.now()
		if now := rfc3339(r.now()); now >= a.Str("expires_at") {
			r.m.T.Fatalf("valid at %s although it expired at %s", now, a.Str("expires_at"))
		}
		if len(a.Data["metadata"].(map[string]any)) != 0 || a.Str("owner") != v.key.owner || a.Str("name") != v.key.name {
			r.m.T.Fatalf("the answer is about another key: %v", a.Data)
		}
	}
	return code
}

// present shows verify a text that is no key, but nearly one.
func (r *run) present() {
	v := r.anyVersion()
	if v == nil {
		return
	}
	text := []byte(v.text)
	at := r.rand.IntN(len(text))
	for text[at] == v.text[at] {
		text[at] = "0123456789ABCXYZabcxyz_"[r.rand.IntN(23)]
	}
	a := r.counted(r.expect(http.StatusOK, r.write("verify", map[string]any{"key": string(text)})))
	if a.Str("code") != "invalid" || len(a.Data) != 3 {
		r.m.T.Fatalf("a forged key: %v", a.Data)
	}
	for _, path := range []string{"rotate", "revoke"} {
		r.expect(http.StatusNotFound, r.write(path, map[string]any{"key": string(text)}))
	}
}

// sweep verifies every text that was ever shown, lately at least.
func (r *run) sweep() {
	valid := make(map[*modelKey]int)
	for _, v := range r.versions[max(0, len(r.versions)-60):] {
		if r.decided(v, question{ip: "10.1.2.3"}) == "valid" {
			valid[v.key]++
		}
		if v.expires-v.created > maximumTTL || v.until > v.expires {
			r.m.T.Fatalf("version %d of %s lives too long", v.number, v.key.id)
		}
	}
	for k, n := range valid {
		if n > 2 {
			r.m.T.Fatalf("%d versions of %s work", n, k.id)
		}
	}
	r.patterns()
}

// sameAsRead holds a read of the key against the model.
func (r *run) sameAsRead(k *modelKey) {
	r.m.T.Helper()
	a := r.expect(http.StatusOK, r.m.Read("keys/"+k.id))
	now, state := r.now(), r.model.state(k.newest(), r.now())
	if state == "valid" {
		state = "active"
	}
	networks := []any{}
	if k.network != "" {
		networks = append(networks, k.network)
	}
	want := map[string]any{
		"key_id": k.id, "version": float64(k.newest().number), "role": k.role, "owner": k.owner, "name": k.name,
		"status": state, "disabled": k.disabled, "ttl": float64(k.ttl), "bound_cidrs": networks,
		"created_at": rfc3339(k.created), "expires_at": rfc3339(k.newest().expires),
		"revoked_at": rfc3339(k.revoked), "revoke_reason": k.reason,
	}
	for name, value := range want {
		if !reflect.DeepEqual(a.Data[name], value) {
			r.m.T.Fatalf("%s of %s is %v, the model says %v", name, k.id, a.Data[name], value)
		}
	}
	if got := a.Data["scopes"].([]any); len(got) != len(k.scopes) {
		r.m.T.Fatalf("scopes of %s are %v, the model says %v", k.id, got, k.scopes)
	}
	shown := a.Data["versions"].([]any)
	if len(shown) != len(k.versions) {
		r.m.T.Fatalf("%s shows %d versions of %d", k.id, len(shown), len(k.versions))
	}
	for i, v := range k.versions {
		status := state
		if s := r.model.state(k.newest(), now); v != k.newest() && (s == "valid" || s == "disabled") {
			status = "superseded"
		}
		want := map[string]any{
			"version": float64(v.number), "status": status, "created_at": rfc3339(v.created), "expires_at": rfc3339(v.expires),
			"superseded_at": rfc3339(v.superseded), "valid_until": rfc3339(v.until),
			"last_used_at": rfc3339(v.used),
			"activation":   "immediate", "activated_at": rfc3339(v.created), "pending_until": "", "cancelled_at": "", "reason": "",
		}
		if !reflect.DeepEqual(shown[i], want) {
			r.m.T.Fatalf("version %d of %s is\n%v, the model says\n%v", v.number, k.id, shown[i], want)
		}
	}
}

// tidy runs it and holds the storage against the model.
func (r *run) tidy() {
	r.m.Must("tidy", nil)
	synctest.Wait()
	for r.m.Read("tidy-status").Str("state") == "running" {
		time.Sleep(time.Second)
	}
	if a := r.m.Read("tidy-status"); a.Str("state") != "done" {
		r.m.T.Fatalf("tidy: %v", a.Data)
	}
	r.history = append(r.history, "tidy")
	r.model.tidy(r.now())
	want := map[string]bool{"config": true, "tag-key": true}
	for name := range r.model.roles {
		want["role/"+name] = true
	}
	for id, k := range r.model.keys {
		want["key/"+id[:2]+"/"+id] = true
		if k.owner != "" {
			want["owner/"+k.owner] = true
			want["owner-key/"+k.owner+"/"+id[:2]+"/"+id] = true
		}
	}
	for name := range r.model.named {
		want["static/"+name] = true
	}
	for path := range r.m.Storage.Dump() {
		if !want[path] && !strings.HasPrefix(path, "role-key/") && !strings.HasPrefix(path, "usage/") && !strings.HasPrefix(path, "alert/") {
			r.m.T.Fatalf("tidy leaves %s", path)
		}
		delete(want, path)
	}
	if len(want) > 0 {
		r.m.T.Fatalf("storage lacks %v", sorted(want))
	}
	for _, p := range r.m.Problems() {
		r.m.T.Fatalf("tidy leaves %v", p)
	}
}
