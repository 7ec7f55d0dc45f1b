package models

import (
	"fmt"
	"slices"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// look holds what the mount tells against the model.
func (p *planter) look() {
	p.m.T.Helper()
	if got, want := list(p.m, "honeytokens/"), sorted(p.traps); !slices.Equal(got, want) {
		p.fail("there are %v, want %v", got, want)
	}
	for name, t := range p.traps {
		a := p.m.Read("honeytokens/" + name)
		if got := fmt.Sprint(a.Data["hits"], a.Data["disables"]); got != fmt.Sprint(t.hits, t.disables) {
			p.fail("%s has %s, want %d %v", name, got, t.hits, t.disables)
		}
	}
	for _, name := range []string{"wiki", "readme", "backup"} {
		a, o := p.m.Read("alerts/honeytoken_used."+name), p.alerts[name]
		if a.OK() != (o != nil) || o != nil && a.Data["count"] != float64(o.count) {
			p.fail("the alert of %s is %d %v, want %+v", name, a.Status, a.Data, o)
		}
		if o != nil && !p.unsettled() {
			did := map[string]string{}
			for _, action := range a.Data["actions"].([]any) {
				did[action.(map[string]any)["key_id"].(string)] = action.(map[string]any)["result"].(string)
			}
			if fmt.Sprint(did) != fmt.Sprint(o.actions) {
				p.fail("%s did %v, want %v", name, did, o.actions)
			}
		}
	}
	for id, k := range p.keys {
		if a := p.m.Read("keys/" + id); !p.unsettled() && !k.absent && (a.Data["disabled"] != k.disabled || a.Str("disabled_reason") != k.reason) {
			p.fail("%s is disabled=%v %q, want %+v", id, a.Data["disabled"], a.Str("disabled_reason"), *k)
		}
	}
}

func list(m *mount.Mount, path string) (names []string) {
	shown, _ := m.Do(logical.ListOperation, path, nil).Data["keys"].([]any)
	for _, name := range shown {
		names = append(names, name.(string))
	}
	return names
}
