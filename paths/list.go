package paths

import (
	"context"
	"errors"
	"regexp"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

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

const listHelp = "Pages through the keys in byte order of their ids. A page shorter than limit is the last one; an empty one is a 404."

func (sv *Services) keysPath() *framework.Path {
	return sv.path("keys/?$", "List the keys.", listHelp, nil,
		map[logical.Operation]operation{
			logical.ListOperation: {summary: "List the keys.", takes: pageFields, answers: pageAnswer, handler: sv.listKeys},
		})
}

// eachKey visits ids after the given one until visit answers false.
type eachKey func(ctx context.Context, after string, visit func(id string) (more bool, err error)) error

func (sv *Services) listKeys(ctx context.Context, r request) (*logical.Response, error) {
	return sv.page(ctx, r.in, sv.Store.EachKey)
}

// afterGrammar is that of an id, or of the beginning of one.
var afterGrammar = regexp.MustCompile(`^[0-9A-Za-z]{0,16}$`)

func (sv *Services) page(ctx context.Context, in input, each eachKey) (*logical.Response, error) {
	limit := int64(maxPage)
	if in.has("limit") {
		n, err := in.number("limit", 1, maxPage)
		if err != nil {
			return nil, err
		}
		limit = n
	}
	after := in.word("after")
	if !afterGrammar.MatchString(after) {
		return nil, record.Mistake("after must be a key id")
	}
	ids, info, more := []string{}, map[string]any{}, false
	err := each(ctx, after, func(id string) (bool, error) {
		line, err := sv.keyLine(ctx, id)
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
		resp.AddWarning("there are more keys: go on with after=" + ids[len(ids)-1])
	}
	return resp, nil
}

// keyLine is what a list shows of one key, nil when its record is gone.
func (sv *Services) keyLine(ctx context.Context, id string) (map[string]any, error) {
	k, found, err := sv.Store.PeekKey(ctx, id)
	if errors.Is(err, store.ErrUnreadable) {
		// One damaged record must not hide the others; it can be deleted.
		sv.Logger.Error("a key cannot be listed", "key_id", id, "error", err)
		return map[string]any{
			"role": "", "owner": "", "name": "", "status": "unreadable",
			"expires_at": "", "rotate_by": "", "created_at": "",
		}, nil
	}
	if err != nil || !found {
		return nil, err
	}
	l, err := sv.Engine.Lineage(ctx, k)
	if err != nil {
		return nil, err
	}
	now := sv.Clock.Now()
	return map[string]any{
		"role":       k.Role,
		"owner":      k.Owner,
		"name":       k.Name,
		"status":     string(l.State(now)),
		"expires_at": k.Newest().ExpiresAt.String(),
		"rotate_by":  k.RotateBy(l.Standing, now).String(),
		"created_at": k.CreatedAt.String(),
	}, nil
}
