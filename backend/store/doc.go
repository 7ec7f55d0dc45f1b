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
//	roster/<owner>/<role>                    the owner's keys that count against the
//	                                         role's max_keys_per_owner
//	static/<name>                            the key that has this static name
//	quota/<2 of id>/<id>                     what was reserved of a key's quota
//	honeytoken/<name>                        a key that was planted to be found
//	alert/<name>                             an alert that is open
//	usage/delta/<number>                     what was used between two flushes
//	usage/key/<2 chars>/<id>                 the last uses of one key through a delta
//
// The state of one key is one entry, written by one Put per operation, so after
// a crash at any point an operation has happened or has not. Hints are written
// before the record and deleted after it: a crash leaves a hint too many, never
// one too few, and tidy removes it. A hint's time is never earlier than the end
// of its key, so what it calls ended has ended.
//
// Every change of a record goes one way, that of table.update: lock, read again
// from storage, change, Put, update the cache, tell (see OnChange), unlock. Locks
// are by name, and never held while a hash runs. They are taken in this order:
//
//	lock            held by, and over what                       an emergency takes it
//	role's hold     shared: issue, delegate, rotate, renew       no
//	                alone: a deletion, over a walk of its keys
//	owner's hold    shared: issue, delegate; alone where a       no
//	                limit counts, and by tidy over a short list
//	static name's   shared: a change by the name; alone: what    no
//	hold            makes its key or takes the name away
//	key             one change of it: reads, one to three Puts   revoke, the end of a
//	                                                             lease, disable, delete
//	role's entry    a change of the role: one read, one Put      its stop, disable
//	owner's entry   its first key, its stop, tidy: one each      its stop
//
// So no stop, disable or revocation waits for anybody's work on another key, role
// or owner, nor for keys being made, counted or walked over. It waits for whoever
// is changing the same entry just then, which is a few calls to storage and open
// only to those who may change that entry, and it goes before all who wait for it
// (but for a change of a role, which has its turn among the others). Whoever makes
// or lengthens a life looks again once it is written: see lifecycle.
//
// Readers get values from a bounded cache. Nothing here decides what a record
// means; package record does.
package store
