package backend

import (
	"context"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
)

// node is what a mount asks of Vault on this node. Where Vault only learns the
// plugin's version there is no system, and nobody asks for more.
type node struct {
	system logical.SystemView
	events logical.EventSender // nil where Vault has none
	logger hclog.Logger
}

// writable tells whether this node may write to the mount's storage. That of a local
// mount is each cluster's own.
func (n node) writable() bool {
	if n.system == nil {
		return false
	}
	state := n.system.ReplicationState()
	if state.HasState(consts.ReplicationPerformanceSecondary) && n.system.LocalMount() {
		state &^= consts.ReplicationPerformanceSecondary
	}
	return !state.HasState(unsteady)
}

// caps are the mount's lease settings now.
func (n node) caps() record.Caps {
	return record.Caps{Default: record.InSeconds(n.system.DefaultLeaseTTL()), Max: record.InSeconds(n.system.MaxLeaseTTL())}
}

// notify sends an event with a key id and nothing else. Servers without an event
// system answer with an error, which is none of ours.
func (n node) notify(ctx context.Context, what lifecycle.Event, keyID string) {
	var metadata []string
	if keyID != "" {
		metadata = []string{"key_id", keyID}
	}
	if n.events == nil || logical.SendEvent(ctx, n.events, "apikeys/"+string(what), metadata...) != nil {
		n.logger.Trace("no event was sent", "event", string(what))
	}
}
