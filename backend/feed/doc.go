// Package feed tells gates what changed. It knows the names of what changed and nothing
// else: what a gate may see is decided where it asks for it.
//
// A change is told once storage has it and before anybody is answered, by whoever wrote
// it. Changes are numbered without gaps under one lock, and the latest are kept, so a
// poll is told of all since its cursor, or that this process cannot say: reset. It is
// never told less. A change may be told twice.
//
// Until the first poll nothing is kept and telling costs one atomic load. What was told
// by then nobody missed: the first answer to a gate is a reset, and whatever it asks for
// after that is read anew.
//
// The term of a cursor is taken down in storage with the first poll, and not with the
// mount's start: where there are no gates there is no entry, and no write at each
// unseal. A cursor of an older process meets another term all the same, since the poll
// that brings it comes after the first, or is the first. A poll that does not wait has it
// written again, which proves that this node is still the one that writes.
package feed
