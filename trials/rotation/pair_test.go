// Package rotation tries when a new version takes effect, and how a rotation is
// taken back or completed.
package rotation

import (
	"slices"
	"testing"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// pair is a key with a new version that waits for its first use.
type pair struct {
	*mount.Mount
	id       string
	old, new mount.Answer
}

func rotated(t *testing.T, role, rotation map[string]any) *pair {
	m := mount.New(t)
	data := map[string]any{"generate_lease": false, "ttl": "30d", "allowed_scopes": "*", "max_delegation_depth": 2}
	for name, value := range role {
		data[name] = value
	}
	m.Must("roles/web", data)
	p := &pair{Mount: m, old: m.Must("issue/web", nil)}
	p.id = p.old.Str("key_id")
	m.Registered(leasedOf(p.old)...)
	p.new = p.rotate(rotation)
	return p
}

// leasedOf are those of the answers that have a lease.
func leasedOf(answers ...mount.Answer) []mount.Answer {
	return slices.DeleteFunc(answers, func(a mount.Answer) bool { return a.Secret == nil })
}

func (p *pair) rotate(rotation map[string]any) mount.Answer {
	p.T.Helper()
	data := map[string]any{"activation": "first_use"}
	for name, value := range rotation {
		data[name] = value
	}
	a := p.Must("rotate/"+p.id, data)
	p.Registered(leasedOf(a)...)
	return a
}

func (p *pair) codes(old, new string) {
	p.T.Helper()
	if got := p.Code(p.old.Str("key")); got != old {
		p.T.Errorf("the old version is %s, want %s", got, old)
	}
	if got := p.peek(p.new.Str("key")); got != new {
		p.T.Errorf("the new version is %s, want %s", got, new)
	}
}

// peek is a verification that is no use.
func (p *pair) peek(key string) string {
	p.T.Helper()
	return p.Must("verify", map[string]any{"key": key, "cost": 0}).Str("code")
}

// shows tells a version's status, and of the key which version is current.
func (p *pair) shows(current float64, statuses ...string) {
	p.T.Helper()
	a := p.Read("keys/" + p.id)
	var got []string
	for _, v := range a.Data["versions"].([]any) {
		got = append(got, v.(map[string]any)["status"].(string))
	}
	if a.Data["version"] != current || !slices.Equal(got, statuses) {
		p.T.Errorf("version %v is current, and they are %q, want %v and %q", a.Data["version"], got, current, statuses)
	}
}
