package models

import (
	"net/http"
	"regexp"
)

// writeRole makes a role or changes a few of its fields.
func (r *run) writeRole() {
	name := r.pick("web", "svc", "tmp")
	role, made := r.model.roles[name], false
	if role == nil {
		role, made = &modelRole{leased: true, grace: day, maxGrace: 7 * day}, true
	}
	next, data := *role, map[string]any{}
	if made || r.chance(3) {
		next.leased = name == "svc" != r.chance(5)
		data["generate_lease"] = next.leased
	}
	if r.chance(3) {
		next.disabled = !next.disabled && r.chance(3)
		data["disabled"] = next.disabled
	}
	if r.chance(3) {
		next.ttl, next.maxTTL = r.seconds(0, 300, 7200, 3*day), r.seconds(0, 7200, 10*day)
		data["ttl"], data["max_ttl"] = next.ttl, next.maxTTL
	}
	if r.chance(3) {
		next.grace, next.maxGrace = r.seconds(0, 60, 3600), r.seconds(60, 3600, 9*day)
		data["grace_period"], data["max_grace_period"] = next.grace, next.maxGrace
	}
	if made || r.chance(3) {
		next.allowed = r.some("a", "b", "c")
		data["allowed_scopes"] = append([]string{}, next.allowed...)
	}
	if made || r.chance(3) {
		next.defaults = r.some("a", "b")
		data["default_scopes"] = append([]string{}, next.defaults...)
	}
	if r.chance(4) {
		next.network = r.pick("", "10.0.0.0/8")
		data["bound_cidrs"] = []string{}
		if next.network != "" {
			data["bound_cidrs"] = []string{next.network}
		}
	}
	if r.chance(3) {
		data["prefix"] = r.pick("", "live", "acme_live", "test")
	}
	want := http.StatusOK
	if next.ttl > next.maxTTL && next.maxTTL > 0 || next.grace > next.maxGrace ||
		data["default_scopes"] != nil && !within(next.defaults, next.allowed) {
		want = http.StatusBadRequest
	}
	if a := r.expect(want, r.write("roles/"+name, data)); !a.OK() {
		return
	}
	if made {
		r.model.uids++
		next.uid = r.model.uids
	}
	r.model.roles[name] = &next
}

// patterns wants each role's pattern to find all its keys that live.
func (r *run) patterns() {
	r.m.T.Helper()
	found := map[string]*regexp.Regexp{}
	for name := range r.model.roles {
		found[name] = regexp.MustCompile(r.m.Read("roles/" + name).Str("key_pattern"))
	}
	for _, v := range r.versions {
		k := v.key
		if r.model.keys[k.id] != k || r.model.role(k) == nil || k.ended(r.now()) != 0 {
			continue
		}
		if re := found[k.role]; re.FindString(v.text+".") != v.text {
			r.m.T.Fatalf("%s does not find version %d of %s", re, v.number, k.id)
		}
	}
}
