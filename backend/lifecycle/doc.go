// Package lifecycle is what is done to keys: issue, rotate, renew, update, revoke,
// delete, delegate, the end of a lease, and the stop of a role or an owner; and to
// the roles and the configuration that they live under. What a mount does by itself
// is upkeep.
//
// Each operation follows one order: look and refuse early, mint and hash
// without any lock, then take the locks, look again, and write the record once.
// What was true before the locks is never relied on after. Whatever makes a version
// goes through mint, which is the order itself: see mint.go.
//
// A stop, or a change of a role, waits for none of this, so it may come between the
// last look and the write. What is made carries the generations that were looked
// at, and is looked at again once it is written: a new key that was overtaken is
// made anew, a rotation or a renewal is refused. See store for the locks.
//
// What ends a key needs the key's own record and nothing else that can be read.
//
// Texts of keys leave this package in Minted.Text, sealed in Minted.Sealed, and as
// proofs of a new hash.
package lifecycle
