package store

// Kind is a kind of thing that changes.
type Kind string

// The kinds. The configuration is the one of its kind, and has no name.
const (
	KeyChanged    Kind = "key"   // by its id
	RoleChanged   Kind = "role"  // by its name
	OwnerChanged  Kind = "owner" // by its name
	QuotaChanged  Kind = "quota" // by its key's id, on another node: here package limit writes them, and knows
	UsageChanged  Kind = "usage" // of keys that are not named, on another node
	ConfigChanged Kind = "config"
)

// OnChange has changed told of each change of what decisions are made by. It is
// called under the lock of the write, once storage has it and before anybody is
// answered; also when a write failed, since nobody knows then what storage holds;
// and where another node wrote. So who asks after a call gets what was written, or
// later.
//
// It must not call back into what writes, nor wait for more than a read of what was
// written: an emergency may wait for the same lock. It is set before the store is used.
//
// Not told is what nobody has decided by, or would decide otherwise by: a new key,
// a hash of another cost, an owner that has its first key or none any more, the
// removal of what had ended for long, and the hints.
func (s *Store) OnChange(changed func(kind Kind, name string)) { s.changed = changed }

func (s *Store) tell(kind Kind, name string) {
	if s.changed != nil {
		s.changed(kind, name)
	}
}
