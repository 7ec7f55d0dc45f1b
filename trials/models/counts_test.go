package models

import (
	"net/http"
	"reflect"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// counts are decisions by code, by the path that tells of them.
type counts map[string]map[string]any

func (c counts) add(path, code string) {
	if c[path] == nil {
		c[path] = map[string]any{}
	}
	n, _ := c[path][code].(float64)
	c[path][code] = n + 1
}

// counted notes an answer of verify.
func (r *run) counted(a mount.Answer) mount.Answer {
	code := a.Str("code")
	r.counts.add("usage", code)
	if id := a.Str("key_id"); id != "" {
		r.counts.add("usage/keys/"+id, code)
	}
	if owner := a.Str("owner"); owner != "" {
		r.counts.add("usage/owners/"+owner, code)
	}
	return a
}

// sameCounts holds what the mount counts of itself, its keys and their owners against
// what it answered.
func (r *run) sameCounts() {
	r.m.T.Helper()
	r.sameCount("usage")
	for id, k := range r.model.keys {
		a := r.sameCount("usage/keys/" + id)
		used := int64(0)
		for _, v := range k.versions {
			used = max(used, v.used)
		}
		if got := a.Str("last_used_at"); got != rfc3339(used) {
			r.m.T.Fatalf("%s was last used at %q, the model says %q", id, got, rfc3339(used))
		}
		if k.owner != "" {
			r.sameCount("usage/owners/" + k.owner)
		}
	}
}

func (r *run) sameCount(path string) mount.Answer {
	r.m.T.Helper()
	a := r.expect(http.StatusOK, r.m.Read(path))
	want, total, lately := r.counts[path], 0.0, 0.0
	if want == nil {
		want = map[string]any{}
	}
	for _, n := range want {
		total += n.(float64)
	}
	for _, day := range a.Data["daily"].([]any) {
		lately += day.(map[string]any)["verifications"].(float64)
	}
	if !reflect.DeepEqual(a.Data["by_code"], want) || a.Data["verifications"] != total || lately > total {
		r.m.T.Fatalf("%s has %v, of which %v lately, the model says %v", path, a.Data["by_code"], lately, want)
	}
	return a
}
