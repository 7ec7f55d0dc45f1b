// Package apikey is the text of a key: how it is made, how it is read, and
// how its mount recognises it.
//
//	acme_live_3kTMd9Xq2LwVb7Rc_001…
//	└prefix─┘ └──────id──────┘ └─ body: version 3, secret 43, tag 11, crc 6
//
// Everything in the body is base62 in the order 0-9A-Za-z, left-padded with 0,
// so that numbers of one length sort as their texts do.
//
// The contract:
//
//   - One text is one key. [Parse] takes exactly what [Generate] can make and
//     refuses the rest; it trims, folds and repairs nothing, since two parts
//     of a system that disagree about what is equal can be played off against
//     each other.
//   - [ErrMalformed] is the only failure of Parse and says nothing about
//     where the text went wrong.
//   - The text is held in a closure and leaves through [Key.Reveal] and
//     [Key.HashInput] only. Printing, encoding or logging a [Key] shows what
//     is public: prefix, id and version.
//
// The two checks at the end of a key serve different readers. The crc needs no
// secret, so a scanner can tell a key from noise offline. The tag needs the
// mount's [TagKey], so a mount can drop a made-up key in a microsecond, before
// storage and before Argon2, whether or not its id exists. Neither proves a
// key: that takes the stored hash, which this package knows nothing about. It
// also knows no storage, no clock and no role.
package apikey
