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
// and then get [ErrBusy]. Who waits, waits in one of five lanes, each with places
// of its own, so that no crowd in one of them takes those of another:
//
//   - revocation: [Hasher.Revocations], for keys that are to be ended;
//   - change: [Hasher.Changes], for keys that their holder rotates or delegates,
//     and for the next versions of keys;
//   - mint: [Hasher.Sum], for new keys;
//   - check: [Hasher.Match], for keys that are verified;
//   - background: [Hasher.Rehash], for work that nobody waits for.
//
// A revocation is next whenever a run ends: it waits for what runs already, which
// is about the time of one run, and for the revocations before it, never for
// anything else. Change, mint and check take turns while they have work, and
// background starts only when all others are empty.
//
// Within a lane whoever comes first is served first, and the next versions of
// one key have a quarter of the places at the most.
//
// This package decides whether a text matches a hash. It remembers nothing
// once a run is over, and knows no records, no storage and no key grammar.
package keyhash
