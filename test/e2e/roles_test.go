package e2e

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

func TestARoleAnswersItsFieldsAsWrittenAndTakesThemBack(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	plain := e.Write(t, "roles/plain", nil)
	wantShape(t, "a role of defaults", plain, roleShape)
	surface.WantFields(t, "a role of defaults", plain, fields{
		"description": "", "prefix": "", "ttl": 0, "max_ttl": 0, "generate_lease": true, "grace_period": 86400, "max_grace_period": 604800,
		"rotation_period": 0, "allowed_scopes": []string{}, "default_scopes": []string{}, "bound_cidrs": []string{}, "metadata": fields{},
		"owner_template": "", "require_owner": false, "disabled": false, "require_scopes": false, "owner_may_widen": []string{},
	})
	full := e.Write(t, "roles/full", fields{
		"description": "Keys of the shop's site", "prefix": "acme_live", "ttl": "24h", "max_ttl": "7d", "generate_lease": "false",
		"grace_period": 90, "max_grace_period": "1h30m", "rotation_period": "12h", "allowed_scopes": []string{"write:*", "read:*", "*"},
		"default_scopes": "write:users, read:users", "bound_cidrs": []string{"192.0.2.0/24", "10.0.0.1", "2001:db8::/32"},
		"metadata": fields{"tier": "gold"}, "owner_template": "{{identity.entity.name}}", "require_owner": true, "disabled": true, "require_scopes": true, "owner_may_widen": []string{"metadata", "scopes"},
	})
	wantShape(t, "a role of everything", full, roleShape)
	surface.WantFields(t, "a role of everything", full, fields{
		"prefix": "acme_live", "ttl": 86400, "max_ttl": 604800, "generate_lease": false, "grace_period": 90, "max_grace_period": 5400,
		"rotation_period": 43200, "allowed_scopes": []string{"write:*", "read:*", "*"}, "default_scopes": []string{"write:users", "read:users"},
		"bound_cidrs": []string{"192.0.2.0/24", "10.0.0.1", "2001:db8::/32"}, "metadata": fields{"tier": "gold"},
		"owner_template": "{{identity.entity.name}}", "require_owner": true, "disabled": true, "description": "Keys of the shop's site",
	})
	for name, written := range map[string]fields{"plain": plain, "full": full} {
		read := e.Read(t, "roles/"+name)
		wantSame(t, "a read after the write", read, written)
		back := maps.Clone(read)
		delete(back, "key_pattern")
		wantSame(t, "writing back what was read", e.Write(t, "roles/"+name, back), read)
		for field := range back {
			one := e.Write(t, "roles/"+name, fields{field: back[field]})
			wantSame(t, "writing back only "+field, one, read)
		}
		wantSame(t, "a write of nothing", e.Write(t, "roles/"+name, nil), read)
		wantSame(t, "a read after all that", e.Read(t, "roles/"+name), read)
	}
	surface.WantFields(t, "roles", e.Want(t, 200, "LIST", "roles", nil).Data(), fields{"keys": []string{"full", "plain"}})
}

func TestTheKeyPatternMatchesTheRolesKeysAndNothingShorter(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "config", fields{"default_prefix": "shop"})
	for name, prefix := range map[string]string{"web": "acme_live", "app": ""} {
		role := e.Write(t, "roles/"+name, fields{"prefix": prefix})
		pattern := regexp.MustCompile(`^(?:` + role["key_pattern"].(string) + `)$`)
		k := e.issue(t, name, nil).Text
		if !pattern.MatchString(k) || pattern.MatchString(k[1:]) || pattern.MatchString(k[:len(k)-1]) {
			t.Errorf("the pattern of %s does not match its keys exactly: %s", name, pattern)
		}
		if want := map[string]string{"web": "acme_live_", "app": "shop_"}[name]; !strings.HasPrefix(k, want) {
			t.Errorf("the key of %s has another prefix than %s", name, want)
		}
	}
}

func TestARoleThatContradictsItselfIsRefusedAndNothingIsWritten(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	before := e.Write(t, "roles/web", fields{"allowed_scopes": []string{"read:*"}, "default_scopes": []string{"read:users"}, "max_ttl": "1h"})
	for _, body := range []fields{
		{"ttl": "2h"},
		{"grace_period": "169h"},
		{"max_grace_period": "1h"},
		{"default_scopes": []string{"write:users"}},
		{"allowed_scopes": []string{"write:*"}, "default_scopes": []string{"read:users"}},
		{"allowed_scopes": []string{"*:read"}}, {"bound_cidrs": []string{"10.0.0.1/8"}}, {"bound_cidrs": []string{"010.0.0.1"}},
		{"prefix": "Acme"}, {"prefix": "a__b"}, {"prefix": strings.Repeat("a", 33)}, {"owner_template": "acme"}, {"ttl": "1d1h"},
		{"metadata": fields{strings.Repeat("k", 65): "v"}}, {"metadata": fields{"k": strings.Repeat("v", 513)}}, {"metadata": fields{"k": "a\nb"}},
		{"nonsense": 1}, {"uid": "x"}, {"role": "other"}, {"disabled": "perhaps"}, {"key_pattern": before["key_pattern"]},
	} {
		e.Refused(t, 400, "roles/web", body)
	}
	wantSame(t, "the role after refusals", e.Read(t, "roles/web"), before)
	for _, name := range []string{"a%20b", ".a", "a..b", "-a", strings.Repeat("a", 129)} {
		e.Refused(t, 400, "roles/"+name, nil, "role")
		e.Want(t, 404, "GET", "roles/"+name, nil)
		e.Want(t, 204, "DELETE", "roles/"+name, nil)
	}
	e.Want(t, 404, "GET", "roles/nobody", nil)
}

func TestARoleIsALivingPolicy(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"allowed_scopes": []string{"read:*", "write:*"}, "default_scopes": []string{"read:*", "write:users"}, "generate_lease": false})
	k := e.issue(t, "web", nil)

	e.Write(t, "roles/web", fields{"disabled": true})
	e.WantCode(t, "disabled", k.Text)
	surface.WantFields(t, "keys/:key_id", e.Read(t, "keys/"+k.ID), fields{"status": "disabled", "disabled": false})
	e.Write(t, "roles/web", fields{"disabled": false})
	e.WantCode(t, "valid", k.Text)

	e.Write(t, "roles/web", fields{"allowed_scopes": []string{"read:users"}})
	d := e.WantCode(t, "valid", k.Text, fields{"scopes": "read:users"})
	surface.WantFields(t, "after narrowing", d, fields{"scopes": []string{"read:users"}})
	e.WantCode(t, "insufficient_scope", k.Text, fields{"scopes": "write:users"})
	surface.WantFields(t, "the key's own", e.Read(t, "keys/"+k.ID), fields{"scopes": []string{"read:*", "write:users"}})
	granted := e.issue(t, "web", nil)
	surface.WantFields(t, "issue under narrowed scopes", granted.Data, fields{"scopes": []string{"read:users"}})
	e.Write(t, "roles/web", fields{"allowed_scopes": []string{"*"}})
	surface.WantFields(t, "after widening", e.WantCode(t, "valid", k.Text), fields{"scopes": []string{"read:*", "write:users"}})
	surface.WantFields(t, "after widening", e.WantCode(t, "valid", granted.Text), fields{"scopes": []string{"read:users"}})

	e.Write(t, "roles/web", fields{"bound_cidrs": []string{"10.0.0.0/8"}})
	e.WantCode(t, "ip_denied", k.Text)
	e.WantCode(t, "ip_denied", k.Text, fields{"client_ip": "192.0.2.1"})
	e.WantCode(t, "valid", k.Text, fields{"client_ip": "10.0.0.1"})
	e.Write(t, "roles/web", fields{"bound_cidrs": []string{}})

	e.Write(t, "roles/web", fields{"metadata": fields{"tier": "gold"}, "rotation_period": 1})
	d = e.WantCode(t, "valid", k.Text)
	surface.WantFields(t, "metadata", d, fields{"metadata": fields{"tier": "gold"}})
	surface.WantFields(t, "the key's own", e.Read(t, "keys/"+k.ID), fields{"metadata": fields{}})
	harness.Eventually(t, patience, "wait for the rotation to be due", func() error {
		return wantedThat(e.Verify(t, k.Text)["rotation_due"] == true, "it is not due")
	})
	e.Write(t, "roles/web", fields{"rotation_period": 0})
	surface.WantFields(t, "rotation_due", e.WantCode(t, "valid", k.Text), fields{"rotation_due": false})
}

func TestARoleWithLiveKeysStaysAndItsSuccessorRevivesNothing(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"generate_lease": false})
	k, brief := e.issue(t, "web", nil), e.issue(t, "web", fields{"ttl": 1})
	e.eventuallyCode(t, "expired", brief.Text)
	if r := e.Want(t, 409, "DELETE", "roles/web", nil); !strings.Contains(r.Errors(), "keys") {
		t.Errorf("the refusal says %q", r.Errors())
	}
	e.Write(t, "keys/"+k.ID, fields{"disabled": true})
	e.Want(t, 409, "DELETE", "roles/web", nil)
	e.Write(t, "revoke/"+k.ID, fields{"reason": "done"})
	e.Want(t, 204, "DELETE", "roles/web", nil)
	e.Want(t, 204, "DELETE", "roles/web", nil)
	e.Want(t, 404, "GET", "roles/web", nil)
	e.WantCode(t, "revoked", k.Text)
	e.WantCode(t, "revoked", brief.Text)
	e.Write(t, "roles/web", fields{"generate_lease": false})
	e.WantCode(t, "revoked", k.Text)
	e.WantCode(t, "revoked", brief.Text)
	e.Refused(t, 409, "rotate/"+k.ID, nil)
	fresh := e.issue(t, "web", nil)
	e.WantCode(t, "valid", fresh.Text)
}

func TestAPatternFindsLiveKeysOfAnEarlierPrefix(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"generate_lease": false, "prefix": "acme_old"})
	old := e.issue(t, "web", nil)
	e.Write(t, "roles/web", fields{"prefix": "acme_new"})
	now := e.issue(t, "web", nil)
	old = e.rotate(t, old.ID, nil)
	for _, k := range []key{old, now} {
		pattern := regexp.MustCompile(fmt.Sprint(e.Read(t, "roles/web")["key_pattern"]))
		if pattern.FindString("key: "+k.Text+"\n") != k.Text {
			t.Errorf("%s does not find %s", pattern, k.ID)
		}
	}
}
