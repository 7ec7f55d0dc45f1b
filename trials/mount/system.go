package mount

import (
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

// System is what Vault tells a mount of itself. A test may change it while the mount
// asks.
type System struct {
	logical.SystemView // of what never changes
	now                atomic.Pointer[logical.StaticSystemView]
}

// NewSystem begins as this.
func NewSystem(v logical.StaticSystemView) *System {
	s := &System{SystemView: v}
	s.now.Store(&v)
	return s
}

// Change changes it, for whoever asks from now on.
func (s *System) Change(change func(v *logical.StaticSystemView)) {
	next := *s.now.Load()
	change(&next)
	s.now.Store(&next)
}

// Become is a change of the node's part in a cluster.
func (s *System) Become(state consts.ReplicationState) {
	s.Change(func(v *logical.StaticSystemView) { v.ReplicationStateVal = state })
}

// Clone begins as it is now.
func (s *System) Clone() *System { return NewSystem(*s.now.Load()) }

// What may change.

func (s *System) DefaultLeaseTTL() time.Duration            { return s.now.Load().DefaultLeaseTTL() }
func (s *System) MaxLeaseTTL() time.Duration                { return s.now.Load().MaxLeaseTTL() }
func (s *System) Tainted() bool                             { return s.now.Load().Tainted() }
func (s *System) LocalMount() bool                          { return s.now.Load().LocalMount() }
func (s *System) ReplicationState() consts.ReplicationState { return s.now.Load().ReplicationState() }
func (s *System) EntityInfo(id string) (*logical.Entity, error) {
	return s.now.Load().EntityInfo(id)
}
