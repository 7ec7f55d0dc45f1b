package paths

import (
	"context"
	"slices"
	"strconv"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

// counted is what was decided of a subject until now.
type counted struct {
	record.Usage
	of  record.Subject
	now record.Time
	key record.Key // where it is of one
}

var countRows = rows[counted]{
	says("verifications", count, "Decisions that were answered: each item of a batch, and each authorize.", func(c *counted) any { return c.Codes.Total() }),
	says("by_code", object, "How many of them had which code.", func(c *counted) any {
		counts := make(map[string]any, len(c.Codes))
		for _, of := range c.Codes {
			counts[of.Code] = of.Count
		}
		return counts
	}),
	says("first_used_at", text, "When it was first verified as valid.", func(c *counted) any { return shown(c.First) }),
	says("last_used_at", text, "When it was last verified as valid.", func(c *counted) any { return shown(c.Last) }),
	says("daily", objects, "By days that begin at midnight UTC, oldest first, without gaps, up to now: start, verifications, valid.", func(c *counted) any {
		_, days := c.of.Windows()
		return windows(c.Days.Until(c.now, record.Day, days))
	}),
}

var mountCountRows = slices.Concat(countRows, rows[counted]{
	says("hourly", objects, "The same by the hour.", func(c *counted) any {
		hours, _ := c.of.Windows()
		return windows(c.Hours.Until(c.now, record.Hour, hours))
	}),
})

var keyCountRows = slices.Concat(countRows, rows[counted]{
	says("last_client_ip", text, "Address that the gateway named when the key was last used with one.", func(c *counted) any { return shown(c.ClientIP) }),
	says("versions", object, "For each version of the key: last_used_at.", func(c *counted) any {
		used := make(map[string]any, len(c.key.Versions))
		for _, v := range c.key.Versions {
			used[strconv.Itoa(v.Number)] = c.Of(v.Number).String()
		}
		return used
	}),
})

func windows(ws record.Windows) []map[string]any {
	shown := make([]map[string]any, len(ws))
	for i, w := range ws {
		shown[i] = map[string]any{"start": w.At.String(), "verifications": w.Total(), "valid": w.Valid}
	}
	return shown
}

// Counters tell what was decided.
type Counters interface {
	Usage(ctx context.Context, of record.Subject) (record.Usage, error)
}

// OwnerReader finds an owner.
type OwnerReader interface {
	Owner(ctx context.Context, name string) (record.Owner, bool, error)
}

// Usage is the counters.
type Usage struct {
	Counters Counters
	Keys     KeyFinder
	Owners   OwnerReader
	Clock    Clock
}

func (u Usage) routes() []route {
	return []route{
		{"usage", "What was decided.", "Counts the decisions of all keys, and what was no key: by code, by the hour and by the day.", nil, operations{
			logical.ReadOperation: {summary: "Read the counters of the mount.", answers: mountCountRows.fields(), handler: u.mount},
		}},
		{"usage/owners/(?P<owner>[^/]+)", "What was decided of an owner's keys.", "Counts the decisions of all keys of an owner, those included that are gone: for a month after its last key.", ownerName, operations{
			logical.ReadOperation: {summary: "Read the counters of an owner.", answers: countRows.fields(), handler: u.owner},
		}},
		{"usage/keys/(?P<key_id>[^/]+)", "What was decided of a key.", "Counts the decisions of a key, all versions together. Those of its children are their own.", keyID, operations{
			logical.ReadOperation: {summary: "Read the counters of a key.", answers: keyCountRows.fields(), handler: u.key},
		}},
	}
}

func (u Usage) count(ctx context.Context, of record.Subject) (counted, error) {
	usage, err := u.Counters.Usage(ctx, of)
	return counted{Usage: usage, of: of, now: u.Clock.Now()}, err
}

func (u Usage) mount(ctx context.Context, _ request) (*logical.Response, error) {
	c, err := u.count(ctx, record.Mount)
	if err != nil {
		return nil, err
	}
	return answer(mountCountRows.show(&c)), nil
}

// owner answers 404 for one that was never seen: that has no record, having had
// neither key nor stop, and no counters.
func (u Usage) owner(ctx context.Context, r request) (*logical.Response, error) {
	name := r.in.word("owner")
	if !record.ValidName(name) {
		return nil, nil
	}
	_, seen, err := u.Owners.Owner(ctx, name)
	if err != nil {
		return nil, err
	}
	c, err := u.count(ctx, record.OfOwner(name))
	if err != nil || !seen && c.Codes.Total() == 0 {
		return nil, err
	}
	return answer(countRows.show(&c)), nil
}

func (u Usage) key(ctx context.Context, r request) (*logical.Response, error) {
	k, err := u.Keys.Find(ctx, target(r.in))
	if err != nil {
		return nil, err
	}
	c, err := u.count(ctx, record.OfKey(k.ID))
	if err != nil {
		return nil, err
	}
	c.key = k
	return answer(keyCountRows.show(&c)), nil
}
