// Package lifecycle is everything that writes a key's record: issue, rotate,
// renew, update, revoke, delete, the end of a lease, re-hash and tidy.
//
// Each operation follows one order: look and refuse early, mint and hash
// without any lock, then take the locks, look again, and write the record once.
// What was true before the locks is never relied on after.
//
// Texts of keys leave this package in Minted.Text, and as proofs of a new hash.
package lifecycle
