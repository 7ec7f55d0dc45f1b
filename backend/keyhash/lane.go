package keyhash

import "time"

// A lane is where runs of one kind wait, in places of their own.
type lane int

const (
	revocation lane = iota
	change
	mint
	check
	background
	lanes
)

// turns is how many lanes take turns, from change on.
const turns = background - change

// queuePerSlot bounds a lane. At the default cost 64 runs are about two
// seconds of one core, which is as long as a caller of check waits: whoever
// came later would wait in vain. Who revokes a thousand leaked keys at a time
// shall not be sent away before it is in vain to wait for ten seconds.
func (l lane) queuePerSlot() int {
	if l == revocation {
		return 256
	}
	return 64
}

// patience is how long a run of this lane waits for its start. A gateway gives
// up on a check after some seconds, and a busy answer is better than none.
// Making, changing and ending keys is rare, and the caller would only come again.
// Background work that found no idle moment in a minute will be asked for again.
func (l lane) patience() time.Duration {
	switch l {
	case check:
		return 2 * time.Second
	case background:
		return time.Minute
	default:
		return 10 * time.Second
	}
}
