package paths

import (
	"context"
	"errors"
	"slices"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
)

// ofStatic is the pattern of the key of a static name.
const ofStatic = "static-keys/(?P<static_name>[^/]+)"

const staticHelp = "A key that is declared rather than requested: the first write of a name mints its key and shows it, this once; a later one changes the key in place, and never mints. It is never leased. When the key has ended, by whatever way, the name is free: a read is a 404, and the next write mints a key with another key_id."

// staticRows are what a later write changes: what an update of a key does, and the
// lifetime that rotations go by.
var staticRows = slices.Concat(updateRows, rows[record.Change]{
	sent("ttl", duration, birthFields["ttl"].help, func(c *record.Change) **record.Seconds { return &c.TTL }),
})

// staticAnswer is what a read shows, and the key where it was minted.
var staticAnswer = readFields.with(textRows.fields())

// StaticKeeper keeps the keys of static names.
type StaticKeeper interface {
	KeyFinder
	Named(ctx context.Context, name string) (bool, error)
	WriteStatic(ctx context.Context, r lifecycle.StaticRequest) (lifecycle.Minted, error)
	DeleteStatic(ctx context.Context, name string) error
}

// Static are keys that are declared. System renders the owners of roles with a
// template.
type Static struct {
	Keeper  StaticKeeper
	System  logical.SystemView
	Answers KeyAnswers
}

func (s Static) routes() []route {
	takes := updateRows.fields().with(birthFields).with(roleName)
	write := operation{summary: "Mint the key of a static name, or change it in place.", takes: takes, answers: staticAnswer, handler: s.write, writes: true, exists: s.exists}
	return []route{
		{ofStatic, "A key under a name of your choice.", staticHelp, static, operations{
			logical.ReadOperation:   {summary: "Read the metadata of a static name's key.", answers: readFields, handler: s.read},
			logical.CreateOperation: write,
			logical.UpdateOperation: write,
			logical.DeleteOperation: {summary: "End the key of a static name, and free the name.", handler: s.delete, writes: true},
		}},
	}
}

// exists tells which capability Vault is to ask for. Only a node that may write knows
// of every end; where this one does not, it passes the request on in any case.
func (s Static) exists(ctx context.Context, in input) (bool, error) {
	found, err := s.Keeper.Named(ctx, in.word("static_name"))
	if errors.Is(err, record.ErrElsewhere) {
		return true, nil
	}
	return found, err
}

func (s Static) read(ctx context.Context, r request) (*logical.Response, error) {
	k, err := s.Keeper.Find(ctx, target(r.in))
	if err != nil {
		return nil, err
	}
	return s.Answers.read(ctx, k)
}

func (s Static) write(ctx context.Context, r request) (*logical.Response, error) {
	want, err := wanted(r.in)
	if err != nil {
		return nil, err
	}
	declared := lifecycle.StaticRequest{
		IssueRequest: lifecycle.IssueRequest{
			Role: r.in.word("role"), Want: want, StaticName: r.in.word("static_name"), By: creator(r), Asker: asker(r.Request),
			Render: render(s.System, r),
		},
		Create: r.Operation == logical.CreateOperation,
	}
	if err := staticRows.take(r.in, &declared.Change); err != nil {
		return nil, err
	}
	declared.Disabling = declared.Change.Disabling
	m, err := s.Keeper.WriteStatic(ctx, declared)
	resp, err := s.Answers.changed(ctx, m.Key, err, m.Warnings...)
	if err == nil {
		textRows.add(resp.Data, &m)
	}
	return resp, err
}

func (s Static) delete(ctx context.Context, r request) (*logical.Response, error) {
	return nil, s.Keeper.DeleteStatic(ctx, r.in.word("static_name"))
}
