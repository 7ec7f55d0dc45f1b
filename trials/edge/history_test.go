package edge_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// history does at random to a mount what its users and operators do.
type history struct {
	v       *vault
	rand    *rand.Rand
	around  func(change func()) // what is done around each change
	follow  func(text, role string)
	unsure  func(id string) // of a key that something is done to in trouble
	last    *key            // that something was done to
	roles   []string        // that there are
	keys    []*key
	done    []string
	trouble bool
}

// key is one that was issued, as far as whoever issued it knows.
type key struct {
	id, role, owner string
	texts           []string // of its latest versions
	lease           *logical.Secret
}

// change is something that a history does.
type change struct {
	weight int
	do     func(*history)
}

var changes = []change{
	{20, (*history).issue},
	{12, (*history).rotate},
	{4, (*history).finish},
	{3, (*history).rollback},
	{3, (*history).revoke},
	{8, (*history).disable},
	{10, (*history).update},
	{12, (*history).updateRole},
	{6, (*history).delegate},
	{6, (*history).renew},
	{2, (*history).endLease},
	{1, (*history).remove},
	{1, (*history).stopOwner},
	{1, (*history).stopRole},
	{1, (*history).replaceRole},
}

// special is what makes a role another than the rest.
var special = map[string]map[string]any{
	"web":     {"metadata": map[string]string{"tier": "gold"}},
	"svc":     {"generate_lease": true, "rotation_period": 10},
	"rates":   {"rate_limit": 6, "rate_limit_period": 30},
	"strict":  {"require_scopes": true},
	"waning":  {"grace_period": "5h", "max_grace_period": "6h", "ttl": "20h", "grace_brownout": true},
	"pending": {"activation": "first_use", "grace_period": 0, "max_pending_period": 40},
}

// begin makes the roles.
func (h *history) begin(roles ...string) {
	h.roles = roles
	for _, name := range roles {
		h.makeRole(name)
	}
}

func (h *history) makeRole(name string) {
	data := map[string]any{
		"generate_lease": false, "ttl": "1h", "allowed_scopes": "read:*,write:a", "default_scopes": "read:*,write:a",
		"max_delegation_depth": 2, "grace_period": 3, "max_pending_period": 20,
	}
	maps.Copy(data, special[name])
	h.write("roles/"+name, data)
}

// step does one thing.
func (h *history) step() {
	total := 0
	for _, c := range changes {
		total += c.weight
	}
	n := h.rand.IntN(total)
	for _, c := range changes {
		if n -= c.weight; n < 0 {
			h.around(func() { c.do(h) })
			return
		}
	}
}

func (h *history) issue() {
	role, data := h.pick(h.roles...), map[string]any{}
	h.maybe(data, "owner", "acme", "acme", "ada@example.com")
	h.maybe(data, "scopes", "read:*", "read:a,read:b", "read:a", "write:a,read:b")
	if h.rand.IntN(4) == 0 {
		data["bound_cidrs"] = h.pick("10.0.0.0/8", "192.0.2.0/24")
	}
	h.maybe(data, "ttl", 4, 30, 600, 600)
	h.maybe(data, "metadata", map[string]string{"a": "b", "tier": "lead"})
	owner, _ := data["owner"].(string)
	h.minted(&key{role: role, owner: owner}, h.write("issue/"+role, data))
}

func (h *history) minted(k *key, a mount.Answer) {
	text := a.Str("key")
	if text == "" {
		return
	}
	if k.id == "" {
		k.id = a.Str("key_id")
		h.keys = append(h.keys, k)
	}
	k.texts = append(k.texts[max(0, len(k.texts)-2):], text)
	if a.Secret != nil {
		a.Secret.IssueTime = time.Now()
		k.lease = a.Secret
	}
	h.follow(text, k.role)
}

func (h *history) rotate() {
	if k := h.any(); k != nil {
		data := map[string]any{}
		h.maybe(data, "grace_period", 0, 0, 1, 10)
		h.maybe(data, "activation", "immediate", "first_use")
		h.maybe(data, "ttl", 5, 20)
		h.minted(k, h.write("rotate/"+k.id, data))
	}
}

func (h *history) finish()   { h.about("rotate/", "/finish", nil) }
func (h *history) rollback() { h.about("rotate/", "/rollback", nil) }
func (h *history) revoke()   { h.about("revoke/", "", map[string]any{"reason": "r"}) }
func (h *history) disable()  { h.about("keys/", "", map[string]any{"disabled": h.rand.IntN(3) == 0}) }

func (h *history) update() {
	data := map[string]any{"name": h.pick("x", "y")}
	h.maybe(data, "scopes", "read:*", "read:a", "write:a", []string{})
	h.maybe(data, "bound_cidrs", "10.0.0.0/8", "192.0.2.0/24", []string{}, []string{})
	h.about("keys/", "", data)
}

func (h *history) updateRole() {
	data := map[string]any{"disabled": h.rand.IntN(6) == 0}
	h.maybe(data, "allowed_scopes", "read:*,write:a", "read:*", "read:a", "write:a")
	h.maybe(data, "bound_cidrs", "10.0.0.0/8", []string{}, []string{}, []string{})
	h.maybe(data, "metadata", map[string]string{"tier": "gold"}, map[string]string{"b": "c"})
	if data["allowed_scopes"] != nil {
		data["default_scopes"] = data["allowed_scopes"]
	}
	h.write("roles/"+h.pick(h.roles...), data)
}

func (h *history) delegate() {
	if k := h.any(); k != nil {
		data := map[string]any{"key": k.texts[len(k.texts)-1]}
		h.maybe(data, "ttl", 5, 3600)
		h.minted(&key{role: k.role, owner: k.owner}, h.write("delegate", data))
	}
}

func (h *history) renew() {
	if k := h.any(); k != nil && k.lease != nil {
		increment := time.Duration(h.rand.IntN(3)*6+3) * time.Second
		a := h.v.m.Renew(k.lease, increment)
		h.done = append(h.done, fmt.Sprintf("%s renew %s by %v: %s", clockTime(time.Now()), k.id, increment, a.Text))
	}
}

func (h *history) endLease() {
	if k := h.any(); k != nil && k.lease != nil {
		h.note("end lease of "+k.id, h.v.m.EndLease(k.lease))
	}
}

func (h *history) remove() {
	if k := h.any(); k != nil {
		h.note("delete "+k.id, h.v.m.Do(logical.DeleteOperation, "keys/"+k.id, nil))
	}
}

func (h *history) stopOwner() { h.write("stop/owners/"+h.pick("acme", "ada@example.com"), nil) }
func (h *history) stopRole()  { h.write("stop/roles/"+h.pick(h.roles...), nil) }

// replaceRole puts another role in the place of one, under its name.
func (h *history) replaceRole() {
	name := h.pick(h.roles...)
	h.write("stop/roles/"+name, nil)
	h.note("delete role "+name, h.v.m.Do(logical.DeleteOperation, "roles/"+name, nil))
	h.makeRole(name)
}

func (h *history) about(before, after string, data map[string]any) {
	if k := h.any(); k != nil {
		h.write(before+k.id+after, data)
	}
}

func (h *history) write(path string, data map[string]any) mount.Answer {
	a := h.v.m.Write(path, data)
	delete(data, "key")
	return h.note(fmt.Sprint(path, " ", data), a)
}

// note takes down what was done. Only trouble with storage may be a fault.
func (h *history) note(what string, a mount.Answer) mount.Answer {
	h.done = append(h.done, fmt.Sprintf("%s %s: %d %s", clockTime(time.Now()), what, a.Status, a.Text))
	if a.Status >= 500 && !h.trouble {
		h.v.m.T.Errorf("%s", h.done[len(h.done)-1])
	}
	return a
}

// any is one of the latest keys.
func (h *history) any() *key {
	if len(h.keys) == 0 {
		return nil
	}
	latest := h.keys[max(0, len(h.keys)-10):]
	h.last = latest[h.rand.IntN(len(latest))]
	if h.trouble {
		h.unsure(h.last.id)
	}
	return h.last
}

func (h *history) pick(from ...string) string { return from[h.rand.IntN(len(from))] }

// maybe sets a parameter to one of these values, or leaves it out.
func (h *history) maybe(data map[string]any, name string, values ...any) {
	if h.rand.IntN(2) == 0 {
		data[name] = values[h.rand.IntN(len(values))]
	}
}
