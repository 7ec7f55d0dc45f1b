package e2e

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/surface"
)

// form is the type and form that a field has in every answer, a predicate with a name.
type form struct {
	name string
	fits func(value any) bool
}

var (
	aText   = form{"a text", func(v any) bool { _, ok := v.(string); return ok }}
	aWord   = form{"a text that is not empty", func(v any) bool { s, ok := v.(string); return ok && s != "" }}
	aFlag   = form{"a boolean", func(v any) bool { _, ok := v.(bool); return ok }}
	aNumber = form{"an integer", isInteger}
	aTime   = form{"a time in whole seconds", isTime}
	maybe   = form{"a time in whole seconds, or empty", func(v any) bool { return v == "" || isTime(v) }}
	aList   = form{"a list of texts", isList}
	pairs   = form{"a map of texts", isPairs}
	creator = form{"display_name and entity_id", func(v any) bool {
		m, _ := v.(map[string]any)
		return isPairs(v) && len(m) == 2 && m["display_name"] != nil && m["entity_id"] != nil
	}}
	objects = form{"a list of objects that is not empty", func(v any) bool { l, ok := v.([]any); return ok && len(l) > 0 }}
)

func isInteger(v any) bool {
	n, ok := v.(json.Number)
	_, err := n.Int64()
	return ok && err == nil
}

var wholeSeconds = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)

func isTime(v any) bool {
	s, ok := v.(string)
	_, err := time.Parse(time.RFC3339, s)
	return ok && err == nil && wholeSeconds.MatchString(s)
}

func isList(v any) bool {
	l, ok := v.([]any)
	return ok && !slices.ContainsFunc(l, func(e any) bool { _, text := e.(string); return !text })
}

func isPairs(v any) bool {
	m, ok := v.(map[string]any)
	for _, e := range m {
		if _, text := e.(string); !text {
			return false
		}
	}
	return ok
}

// shape is what an answer consists of: these fields, all of them and no other.
type shape map[string]form

func (s shape) with(more shape) shape {
	union := maps.Clone(s)
	maps.Copy(union, more)
	return union
}

// The answers of the contract.
var (
	configShape = shape{
		"argon2_memory_kib": aNumber, "argon2_iterations": aNumber, "argon2_parallelism": aNumber,
		"revoked_retention": aNumber, "usage_flush_interval": aNumber, "verify_cache_size": aNumber, "allow_key_in_query": aFlag, "default_prefix": aWord,
		"alert_warning_per_hour": aNumber, "alert_critical_per_hour": aNumber,
	}
	roleShape = shape{
		"description": aText, "prefix": aText, "ttl": aNumber, "max_ttl": aNumber, "generate_lease": aFlag,
		"grace_period": aNumber, "max_grace_period": aNumber, "rotation_period": aNumber, "allowed_scopes": aList,
		"default_scopes": aList, "bound_cidrs": aList, "metadata": pairs, "owner_template": aText, "require_owner": aFlag,
		"require_scopes": aFlag, "owner_may_widen": aList, "disabled": aFlag, "key_pattern": aWord, "rate_limit": aNumber, "rate_limit_period": aNumber, "quota": aNumber,
		"quota_period": aNumber, "idle_timeout": aNumber, "max_keys_per_owner": aNumber, "max_delegation_depth": aNumber,
		"activation": aWord, "max_pending_period": aNumber, "grace_brownout": aFlag, "require_recipients": aFlag, "allowed_recipients": aList,
	}
	keyShape = shape{
		"key_id": aWord, "version": aNumber, "hint": aWord, "role": aWord, "owner": aText, "name": aText, "scopes": aList,
		"metadata": pairs, "bound_cidrs": aList, "status": aWord, "created_at": aTime, "expires_at": aTime, "rotate_by": maybe,
		"created_by": creator, "rate_limit": aNumber, "rate_limit_period": aNumber, "quota": aNumber, "quota_period": aNumber,
		"parent_key_id": aText, "recipients": aList,
	}
	leasedShape   = keyShape.with(shape{"key": aWord})
	unleasedShape = leasedShape.with(shape{"ttl": aNumber, "rotation_period": aNumber})
	previousShape = shape{"previous_version": aNumber, "previous_valid_until": maybe, "activation": aWord, "pending_until": maybe}
	readShape     = keyShape.with(shape{
		"ttl": aNumber, "disabled": aFlag, "disabled_at": maybe, "disabled_reason": aText, "last_used_at": maybe, "revoked_at": maybe, "revoke_reason": aText,
		"static_name": aText, "versions": objects,
	})
	versionShape = shape{
		"version": aNumber, "status": aWord, "created_at": aTime, "expires_at": aTime, "superseded_at": maybe, "valid_until": maybe,
		"activation": aWord, "pending_until": maybe, "activated_at": maybe, "cancelled_at": maybe, "reason": aText, "last_used_at": maybe,
	}
	lineShape = shape{
		"role": aWord, "owner": aText, "name": aText, "status": aWord, "expires_at": aTime, "rotate_by": maybe, "created_at": aTime,
	}
	invalidShape = shape{"valid": aFlag, "code": aWord, "http_status": aNumber}
	verifyShape  = invalidShape.with(shape{
		"key_id": aWord, "version": aNumber, "role": aWord, "owner": aText, "name": aText, "scopes": aList, "metadata": pairs,
		"expires_at": aTime, "rotation_due": aFlag, "superseded": aFlag, "valid_until": maybe, "parent_key_id": aText,
	})
	tidyShape = shape{
		"state": aWord, "started_at": maybe, "finished_at": maybe, "keys_removed": aNumber, "entries_repaired": aNumber, "error": aText,
	}
	infoShape = shape{"version": aWord, "commit": aText, "storage_format": aNumber}
)

// wantShape checks that an answer has exactly these fields, in their forms.
func wantShape(t *testing.T, what string, data fields, s shape) {
	t.Helper()
	for name, form := range s {
		value, found := data[name]
		if !found {
			t.Errorf("%s: %s is missing", what, name)
		} else if !form.fits(value) {
			t.Errorf("%s: %s is %#v, wanted %s", what, name, value, form.name)
		}
	}
	for name := range data {
		if _, known := s[name]; !known {
			t.Errorf("%s: %s is none of its fields", what, name)
		}
	}
}

// wantKeyRead checks the shape of a key's read with its versions.
func wantKeyRead(t *testing.T, what string, data fields) {
	t.Helper()
	wantShape(t, what, data, readShape)
	for _, v := range versions(data) {
		wantShape(t, what+": a version", v, versionShape)
	}
}

func versions(data fields) (list []fields) {
	l, _ := data["versions"].([]any)
	for _, v := range l {
		m, _ := v.(map[string]any)
		list = append(list, m)
	}
	return list
}

// wantSame checks that two answers show the same, but for last uses, which any verification in between moves.
func wantSame(t *testing.T, what string, got, wanted fields) {
	t.Helper()
	got, wanted = surface.Plain(t, withoutUses(got)).(fields), withoutUses(wanted)
	for name := range got {
		if _, both := wanted[name]; !both {
			t.Errorf("%s: %s appeared", what, name)
		}
	}
	surface.WantFields(t, what, got, wanted)
}

func withoutUses(data fields) fields {
	same := maps.Clone(data)
	delete(same, "last_used_at")
	if list := versions(data); list != nil {
		for i := range list {
			list[i] = withoutUses(list[i])
		}
		same["versions"] = list
	}
	return same
}
