package backend

import (
	"context"
	"sync/atomic"
	"time"

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

// notify sends an event with a key id and nothing else.
func (n node) notify(ctx context.Context, what lifecycle.Event, keyID string) {
	if keyID == "" {
		n.send(ctx, string(what))
	} else {
		n.send(ctx, string(what), "key_id", keyID)
	}
}

// send sends an event with metadata, names and values in turn. Servers without an event
// system answer with an error, which is none of ours.
func (n node) send(ctx context.Context, what string, metadata ...string) {
	if n.events == nil || logical.SendEvent(ctx, n.events, "apikeys/"+what, metadata...) != nil {
		n.logger.Trace("no event was sent", "event", what)
	}
}

// steadySystem is Vault's view of the system with one answer remembered.
//
// The framework asks for the replication state before each request, to pass
// writes on from a standby; between processes that is a call back into Vault,
// dearer than everything else that a verify does. Only the answer that changes
// nothing is remembered: a node that was told to pass requests on asks again
// each time, and one that became a standby a moment ago is refused by the
// storage and passes the request on for that reason.
//
// A call that fails answers with the zero value and nothing beside it, so what
// may be the answer of a failure is not believed for long.
type steadySystem struct {
	logical.SystemView
	last atomic.Pointer[steadyState]
}

type steadyState struct {
	state consts.ReplicationState
	until time.Time
}

// steadyFor is how long an answer is remembered.
const steadyFor = time.Second

// unsteady are the states in which a request may have to be passed on.
const unsteady = consts.ReplicationPerformanceStandby | consts.ReplicationPerformanceSecondary | consts.ReplicationDRSecondary

// ReplicationState is that of the node and the mount's cluster.
func (s *steadySystem) ReplicationState() consts.ReplicationState {
	now := time.Now()
	if last := s.last.Load(); last != nil && now.Before(last.until) {
		return last.state
	}
	state := s.SystemView.ReplicationState()
	if state != consts.ReplicationUnknown && state&unsteady == 0 {
		s.last.Store(&steadyState{state, now.Add(steadyFor)})
	}
	return state
}
