package paths

import (
	"context"
	"errors"
	"regexp"
	"slices"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
)

// maxPage is the most, and the default, that one list answers.
const maxPage = 1000

var pageFields = fields{
	"after": {kind: text, help: "Answer the ids after this one; it need not exist."},
	"limit": {kind: count, help: "Answer at most this many, 1 to 1000. Default 1000."},
}

var names = fields{"keys": {kind: list, help: "The names, in byte order."}}

var pageAnswer = fields{
	"keys":     {kind: list, help: "Key ids in byte order."},
	"key_info": {kind: object, help: "For each id: role, owner, name, status, expires_at, rotate_by, created_at."},
}

var namePageFields = fields{
	"after": {kind: text, help: "Answer the names after this one; it need not exist."},
	"limit": pageFields["limit"],
}

var namePageAnswer = fields{
	"keys":     {kind: list, help: "Static names in byte order."},
	"key_info": {kind: object, help: "For each name: key_id, role, owner, name, status, expires_at, rotate_by, created_at."},
}

const listHelp = "Pages through the keys in byte order of their ids. A page shorter than limit is the last one; an empty one is a 404."

// KeyList finds keys and owners.
type KeyList interface {
	EachKey(ctx context.Context, after string, visit func(id string) (more bool, err error)) error
	EachKeyOf(ctx context.Context, owner, after string, visit func(id string) (more bool, err error)) error
	EachName(ctx context.Context, after string, visit func(name string) (more bool, err error)) error
	PeekKey(ctx context.Context, id string) (record.Key, bool, error)
	Owners(ctx context.Context) ([]string, error)
}

// Lists pages through the keys.
type Lists struct {
	Keys     KeyList
	Finder   KeyFinder // of static names
	Lineages Lineages
	Log      hclog.Logger
}

func (ls Lists) routes() []route {
	return []route{
		{"keys/?$", "List the keys.", listHelp, nil, operations{
			logical.ListOperation: {summary: "List the keys.", takes: pageFields, answers: pageAnswer, handler: ls.all},
		}},
		{"owners/?$", "List the owners.", "The names of all owners that have or had keys, in byte order.", nil, operations{
			logical.ListOperation: {summary: "List the owners.", answers: names, handler: ls.owners},
		}},
		{"static-keys/?$", "List the static names that have a key.", "Pages through the names in byte order. A page shorter than limit is the last one; an empty one is a 404.", nil, operations{
			logical.ListOperation: {summary: "List the static names that have a key.", takes: namePageFields, answers: namePageAnswer, handler: ls.named},
		}},
		{"owners/(?P<owner>[^/]+)/keys/?$", "List the keys of this owner.", listHelp, ownerName, operations{
			logical.ListOperation: {summary: "List the keys of an owner.", takes: pageFields, answers: pageAnswer, handler: ls.ofOwner},
		}},
	}
}

func (ls Lists) all(ctx context.Context, r request) (*logical.Response, error) {
	return ls.page(ctx, r.in, listing{afterID, ls.Keys.EachKey, ls.Keys.PeekKey, lineRows})
}

func (ls Lists) named(ctx context.Context, r request) (*logical.Response, error) {
	return ls.page(ctx, r.in, listing{afterName, ls.Keys.EachName, func(ctx context.Context, name string) (record.Key, bool, error) {
		k, err := ls.Finder.Find(ctx, lifecycle.Target{Static: name})
		return k, err == nil, record.Except(err, record.ErrKeyNotFound)
	}, namedLineRows})
}

func (ls Lists) ofOwner(ctx context.Context, r request) (*logical.Response, error) {
	owner := r.in.word("owner")
	if !record.ValidName(owner) {
		return nil, nil
	}
	return ls.page(ctx, r.in, listing{afterID, func(ctx context.Context, after string, visit func(string) (bool, error)) error {
		return ls.Keys.EachKeyOf(ctx, owner, after, visit)
	}, ls.Keys.PeekKey, lineRows})
}

func (ls Lists) owners(ctx context.Context, _ request) (*logical.Response, error) {
	return listed(ls.Keys.Owners(ctx))
}

// listed answers names.
func listed(names []string, err error) (*logical.Response, error) {
	if err != nil {
		return nil, err
	}
	return logical.ListResponse(names), nil
}

// listing is what a list goes over: keys by their ids, or by their names.
type listing struct {
	after *regexp.Regexp // grammar of where to begin
	// each visits those after the given one until visit answers false.
	each func(ctx context.Context, after string, visit func(name string) (more bool, err error)) error
	find func(ctx context.Context, name string) (record.Key, bool, error)
	rows rows[view]
}

// What a list may begin after: an id or a name, or the beginning of one.
var (
	afterID   = regexp.MustCompile(`^[0-9A-Za-z]{0,16}$`)
	afterName = regexp.MustCompile(`^[0-9A-Za-z._@-]{0,128}$`)
)

func (ls Lists) page(ctx context.Context, in input, of listing) (*logical.Response, error) {
	limit := int64(maxPage)
	if in.has("limit") {
		n, err := in.number("limit", 1, maxPage)
		if err != nil {
			return nil, err
		}
		limit = n
	}
	after := in.word("after")
	if !of.after.MatchString(after) {
		return nil, record.Mistake("after must be one that could be listed")
	}
	ids, info, more := []string{}, map[string]any{}, false
	err := of.each(ctx, after, func(id string) (bool, error) {
		line, err := ls.line(ctx, id, of)
		if err != nil || line == nil {
			return true, err
		}
		if more = len(ids) == int(limit); more {
			return false, nil
		}
		ids, info[id] = append(ids, id), line
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	resp := logical.ListResponseWithInfo(ids, info)
	if more {
		resp.AddWarning("there are more: go on with after=" + ids[len(ids)-1])
	}
	return resp, nil
}

// lineRows are what a list shows of one key.
var lineRows = keyRows.pick("role", "owner", "name", "status", "expires_at", "rotate_by", "created_at")

// namedLineRows are what a list shows of the key of a name.
var namedLineRows = slices.Concat(keyRows.pick("key_id"), lineRows)

// line is what a list shows of one key, nil when its record is gone.
func (ls Lists) line(ctx context.Context, name string, of listing) (map[string]any, error) {
	k, found, err := of.find(ctx, name)
	if errors.Is(err, store.ErrUnreadable) {
		// One damaged record must not hide the others; it can be deleted.
		ls.Log.Error("a key cannot be listed", "name", name, "error", err)
		line := make(map[string]any, len(of.rows))
		for _, row := range of.rows {
			line[row.name] = ""
		}
		line["status"] = "unreadable"
		return line, nil
	}
	if err != nil || !found {
		return nil, err
	}
	l, err := ls.Lineages.Lineage(ctx, k)
	if err != nil {
		return nil, err
	}
	return of.rows.show(&view{Key: l.Key, version: l.Key.Current(), standing: l.Standing, now: l.At}), nil
}
