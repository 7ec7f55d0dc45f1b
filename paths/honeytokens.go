package paths

import (
	"context"
	"errors"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/watch"
)

// plantRows are what is asked of a honeytoken. What is not sent stays.
var plantRows = rows[watch.Change]{
	sent("role", word, "Role whose keys it looks like; required at creation, and the same from then on.", func(c *watch.Change) **string { return &c.Role }),
	sent("description", text, "Where it was planted, at most 1,024 bytes.", func(c *watch.Change) **string { return &c.Description }),
	sent("disables", list, "Up to 16 key_ids that lie where it lies: they are disabled by its first use, once. Written again, they are armed again.", func(c *watch.Change) **[]string { return &c.Disables }),
}

var honeytokenRows = rows[record.Honeytoken]{
	says("role", word, "Role whose keys it looks like.", func(h *record.Honeytoken) any { return h.Role }),
	says("description", text, "Where it was planted.", func(h *record.Honeytoken) any { return h.Description }),
	says("disables", list, "The key_ids that its use disables.", func(h *record.Honeytoken) any {
		ids := make([]string, len(h.Disables))
		for i, d := range h.Disables {
			ids[i] = d.KeyID
		}
		return ids
	}),
	says("created_at", word, "When it was made.", func(h *record.Honeytoken) any { return shown(h.CreatedAt) }),
	says("hits", count, "How often it was used.", func(h *record.Honeytoken) any { return h.Count }),
	says("first_seen_at", text, "When it was used first.", func(h *record.Honeytoken) any { return shown(h.First) }),
	says("last_seen_at", text, "When it was used last.", func(h *record.Honeytoken) any { return shown(h.Last) }),
	says("last_client_ip", text, "Address that the gateway named when it was last used with one.", func(h *record.Honeytoken) any { return shown(h.ClientIP) }),
}

// Planter keeps the honeytokens.
type Planter interface {
	Honeytokens(ctx context.Context) ([]string, error)
	Honeytoken(ctx context.Context, name string) (record.Honeytoken, bool, error)
	Plant(ctx context.Context, name string, c watch.Change) (record.Honeytoken, apikey.Key, error)
	Uproot(ctx context.Context, name string) error
}

// Honeytokens are keys that are planted to be found.
type Honeytokens struct{ Planter Planter }

var honeytokenName = fields{"honeytoken": {kind: word, help: "Name of the honeytoken."}}

func (hs Honeytokens) routes() []route {
	answers := honeytokenRows.fields()
	planted := answers.with(fields{"key": {kind: word, help: "The key to plant: shown once, at its creation.", secret: true, sometimes: true}})
	write := operation{summary: "Create a honeytoken, or change its description and what it disables.", takes: plantRows.fields(), answers: planted, handler: hs.write, writes: true, exists: hs.exists}
	return []route{
		{"honeytokens/$", "List the honeytokens.", "The names of all honeytokens, in byte order. Needs sudo.", nil, operations{
			logical.ListOperation: {summary: "List the honeytokens.", answers: names, handler: hs.list},
		}},
		{"honeytokens/(?P<honeytoken>[^/]+)", "A key that looks like one of a role's and never works.",
			"Plant it where nobody has business to look. Who presents it is answered as with any invalid key, and you find an alert. Needs sudo.", honeytokenName, operations{
				logical.ReadOperation:   {summary: "Read a honeytoken.", answers: answers, handler: hs.read},
				logical.CreateOperation: write,
				logical.UpdateOperation: write,
				logical.DeleteOperation: {summary: "Delete a honeytoken: its key is any invalid one from then on.", handler: hs.delete, writes: true},
			}},
	}
}

// exists tells which capability Vault is to ask for. Where this node does not know, it
// passes the request on in any case.
func (hs Honeytokens) exists(ctx context.Context, in input) (bool, error) {
	_, found, err := hs.Planter.Honeytoken(ctx, in.word("honeytoken"))
	if errors.Is(err, record.ErrElsewhere) {
		return true, nil
	}
	return found, err
}

func (hs Honeytokens) list(ctx context.Context, _ request) (*logical.Response, error) {
	return listed(hs.Planter.Honeytokens(ctx))
}

func (hs Honeytokens) read(ctx context.Context, r request) (*logical.Response, error) {
	return honeytokenRows.found(hs.Planter.Honeytoken(ctx, r.in.word("honeytoken")))
}

func (hs Honeytokens) write(ctx context.Context, r request) (*logical.Response, error) {
	var change watch.Change
	if err := plantRows.take(r.in, &change); err != nil {
		return nil, err
	}
	h, key, err := hs.Planter.Plant(ctx, r.in.word("honeytoken"), change)
	if err != nil {
		return nil, err
	}
	data := honeytokenRows.show(&h)
	if text := key.Reveal(); text != "" {
		data["key"] = text
	}
	return answer(data), nil
}

func (hs Honeytokens) delete(ctx context.Context, r request) (*logical.Response, error) {
	return nil, hs.Planter.Uproot(ctx, r.in.word("honeytoken"))
}
