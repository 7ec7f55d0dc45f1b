package backend

import (
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

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
