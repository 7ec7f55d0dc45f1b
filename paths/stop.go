package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

var stopRows = rows[record.Halt]{
	at("revoked_before", word, "When the keys were ended, for people: what counts is that they were issued before the answer.", func(h *record.Halt) *record.Time { return &h.At }),
	at("reason", text, "Why.", func(h *record.Halt) *string { return &h.Reason }),
}

const stopHelp = "Emergency: one write ends all keys issued so far, and all that were delegated from them, before it answers. Keys issued later are fine; what is stopped cannot be revived. Needs sudo."

func (sv *Services) stopOwnerPath() *framework.Path {
	return sv.path("stop/owners/(?P<owner>[^/]+)", "End all keys of an owner at once.", stopHelp, ownerName,
		map[logical.Operation]operation{
			logical.UpdateOperation: {summary: "Stop an owner.", takes: revokeFields, answers: stopRows.fields(), handler: sv.stopOwner, writes: true},
		})
}

func (sv *Services) stopRolePath() *framework.Path {
	return sv.path("stop/roles/(?P<role>[^/]+)", "End all keys of a role at once.", stopHelp, roleName,
		map[logical.Operation]operation{
			logical.UpdateOperation: {summary: "Stop a role.", takes: revokeFields, answers: stopRows.fields(), handler: sv.stopRole, writes: true},
		})
}

func (sv *Services) stopOwner(ctx context.Context, r request) (*logical.Response, error) {
	stop, err := sv.Engine.StopOwner(ctx, r.in.word("owner"), r.in.word("reason"), r.ID)
	return stopped(stop, err)
}

func (sv *Services) stopRole(ctx context.Context, r request) (*logical.Response, error) {
	stop, err := sv.Engine.StopRole(ctx, r.in.word("role"), r.in.word("reason"), r.ID)
	return stopped(stop, err)
}

func stopped(stop record.Halt, err error) (*logical.Response, error) {
	if err != nil {
		return nil, err
	}
	return answer(stopRows.show(&stop)), nil
}
