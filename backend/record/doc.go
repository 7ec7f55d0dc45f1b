// Package record is what the engine stores and the rules over it.
//
// Key, Role, Owner and Config are plain values. Every rule is a pure function
// of a record and a time that the caller passes in: what a new key may be
// (Grant), what a key or one of its versions is worth now (State), how a
// version is superseded, how long it may live. The package does no I/O, takes
// no locks, hashes nothing and knows nothing of Vault.
//
// Records are values with shared insides: slices and maps are never changed
// after a record was handed on; whoever changes a record works on a Clone.
package record
