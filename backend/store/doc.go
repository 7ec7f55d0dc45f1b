// Package store keeps records in Vault's storage. It is the only package that
// knows how they are laid out there:
//
//	config   tag-key                         one entry each
//	role/<name>   owner/<name>               one entry each
//	key/<2 of id>/<id>                       the record of a key: all of its state
//	owner-key/<owner>/<2 of id>/<id>         hints: which keys an owner has
//	role-key/<role>/<uid>-<generation>/<2 of id>/<id>
//	                                         hints: which keys a role has, apart by
//	                                         its stops
//	quota/<2 of id>/<id>                     what was reserved of a key's quota
//	usage/<shard>                            last uses, of many keys each
//
// The state of one key is one entry, written by one Put per operation, so after
// a crash at any point an operation has happened or has not. Hints are written
// before the record and deleted after it: a crash leaves a hint too many, never
// one too few, and tidy removes it. A hint's time is never earlier than the end
// of its key, so what it calls ended has ended.
//
// Every change of a record goes the one way of UpdateKey: lock, read again from
// storage, change, Put, update the cache, unlock. Locks are taken in the order
// role, owner, key, and never held while a hash runs.
//
// Readers get values from a bounded cache. Nothing here decides what a record
// means; package record does.
package store
