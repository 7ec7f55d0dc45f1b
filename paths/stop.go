package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

var stopRows = rows[record.Halt]{
	at("revoked_before", word, "When the keys were ended, for people: what counts is that they were issued before the answer.", func(h *record.Halt) *record.Time { return &h.At }),
	at("reason", text, "Why.", func(h *record.Halt) *string { return &h.Reason }),
}

const stopHelp = "Emergency: one write ends all keys issued so far, and all that were delegated from them, before it answers. Keys issued later are fine; what is stopped cannot be revived. Needs sudo."

// Stopper ends all keys of an owner or of a role.
type Stopper interface {
	StopOwner(ctx context.Context, owner, reason, request string) (record.Halt, error)
	StopRole(ctx context.Context, role, reason, request string) (record.Halt, error)
}

// Stop is the emergency stop.
type Stop struct{ Stopper Stopper }

func (s Stop) routes() []route {
	return []route{
		{"stop/owners/(?P<owner>[^/]+)", "End all keys of an owner at once.", stopHelp, ownerName, operations{
			logical.UpdateOperation: {summary: "Stop an owner.", takes: reason, answers: stopRows.fields(), handler: s.owner, writes: true},
		}},
		{"stop/roles/(?P<role>[^/]+)", "End all keys of a role at once.", stopHelp, roleName, operations{
			logical.UpdateOperation: {summary: "Stop a role.", takes: reason, answers: stopRows.fields(), handler: s.role, writes: true},
		}},
	}
}

func (s Stop) owner(ctx context.Context, r request) (*logical.Response, error) {
	return stopRows.answer(s.Stopper.StopOwner(ctx, r.in.word("owner"), r.in.word("reason"), r.ID))
}

func (s Stop) role(ctx context.Context, r request) (*logical.Response, error) {
	return stopRows.answer(s.Stopper.StopRole(ctx, r.in.word("role"), r.in.word("reason"), r.ID))
}
