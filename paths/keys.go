package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

var updateFields = changeFields.with(limitFields).with(fields{
	"disabled":        {kind: flag, help: "Whether the key answers disabled until this is lifted. What was set at the operator's door is lifted only there."},
	"disabled_reason": {kind: text, help: "With disabled=true: why, for people; at most 256 bytes."},
})

func (sv *Services) keyPath() *framework.Path {
	return sv.path("keys/(?P<key_id>[^/]+)", "Metadata of a key, never its secret.",
		"Reads, changes or deletes any key of the mount.", keyID, sv.keyOperations())
}

// keyOperations are those of a key named by the path.
func (sv *Services) keyOperations() map[logical.Operation]operation {
	return map[logical.Operation]operation{
		logical.ReadOperation:   {summary: "Read a key's metadata.", answers: readFields, handler: sv.readKey},
		logical.UpdateOperation: {summary: "Change a key that has not ended; what is not sent stays.", takes: updateFields, answers: readFields, handler: sv.updateKey, writes: true},
		logical.DeleteOperation: {summary: "End a key and remove its record.", handler: sv.deleteKey, writes: true},
	}
}

func (sv *Services) readKey(ctx context.Context, r request) (*logical.Response, error) {
	k, err := sv.Engine.Find(ctx, target(r.in))
	if err != nil {
		return nil, err
	}
	data, err := sv.readAnswer(ctx, k)
	if err != nil {
		return nil, err
	}
	return answer(data), sv.addQuota(ctx, data, k, sv.Meter.Peek)
}

func (sv *Services) updateKey(ctx context.Context, r request) (*logical.Response, error) {
	networks, err := r.in.networks("bound_cidrs")
	if err != nil {
		return nil, err
	}
	k, err := sv.Engine.Update(ctx, target(r.in), record.Change{
		Name:       optional[string](r.in, "name"),
		Metadata:   optional[map[string]string](r.in, "metadata"),
		Scopes:     optional[[]string](r.in, "scopes"),
		BoundCIDRs: networks,
		Limits:     limitsChange(r.in),
		Disabling:  record.Disabling{Disabled: optional[bool](r.in, "disabled"), Reason: optional[string](r.in, "disabled_reason")},
	})
	return sv.changed(ctx, k, err)
}

func (sv *Services) deleteKey(ctx context.Context, r request) (*logical.Response, error) {
	return nil, sv.Engine.Delete(ctx, target(r.in))
}
