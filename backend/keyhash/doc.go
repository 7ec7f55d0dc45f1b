// Package keyhash is Argon2id for keys: how costly a hash is, how it is
// written down, and how many are computed at a time.
//
// A hash is stored as a PHC string,
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>
//
// with a 16-byte salt and a 32-byte hash in base64 without padding. It is read
// by an exact grammar and its costs are bounded before a byte is hashed, so
// that a damaged record is an error of that record: x/crypto/argon2 itself
// panics for t=0 and allocates whatever m says.
//
// One run of Argon2 takes tens of megabytes and tens of milliseconds and
// cannot be cancelled. A process therefore has one [Hasher], which every mount
// shares, and at most
//
//	max(1, min(cores - 1, 256 MiB / memory))
//
// runs happen at once; the rest wait in bounded queues, for a bounded time,
// and then get [ErrBusy]. Who waits, waits in one of three lanes:
//
//   - mint: [Hasher.Sum], for keys that are being made, and [Reserved.Match],
//     for keys whose holder changes or ends them;
//   - check: [Hasher.Match], for keys that are verified;
//   - background: [Hasher.Rehash], for work that nobody waits for.
//
// Mint and check alternate while both have work, so that neither a flood of
// presentations nor a burst of new keys shuts the other out. Background starts
// only when both are empty. Within check, key ids take turns, and presentations
// of the same text against the same hash share one run.
//
// This package decides whether a text matches a hash. It remembers nothing
// once a run is over, and knows no records, no storage and no key grammar.
package keyhash
