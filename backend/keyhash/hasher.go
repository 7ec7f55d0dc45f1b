package keyhash

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/argon2"
)

// A Hasher computes the hashes of a process. There is one per process, since
// cores and memory are the process's; it is safe for concurrent use.
type Hasher struct {
	slots slots

	// argon2 is argon2.IDKey everywhere but in tests.
	argon2 func(text, salt []byte, iterations, memoryKiB uint32, parallelism uint8, length uint32) []byte
}

// A fingerprint stands for one text presented against one hash.
type fingerprint [sha256.Size]byte

// errParams is returned for costs that no hash may have. It is a fault of the
// program: configuration is held to Params.Validate, which asks for more.
var errParams = errors.New("argon2 parameters out of bounds")

// NewHasher returns a hasher for a process that may use this many cores. It
// leaves one of them to everything else, unless there is but one.
func NewHasher(cores int) *Hasher {
	return &Hasher{
		slots:  slots{atOnce: max(1, cores-1), shared: map[fingerprint]*run{}},
		argon2: argon2.IDKey,
	}
}

// Sum hashes the text of a new key in the mint lane and returns the
// hash. The salt is read from rand. It returns ErrBusy under overload and
// ctx's error when ctx ends first.
func (h *Hasher) Sum(ctx context.Context, rand io.Reader, p Params, text string) (PHC, error) {
	return h.sum(ctx, rand, p, text, run{lane: mint})
}

// Rehash is Sum in the background lane: it starts only when nobody waits in
// the others, and gives up with ErrBusy after a minute.
func (h *Hasher) Rehash(ctx context.Context, rand io.Reader, p Params, text string) (PHC, error) {
	return h.sum(ctx, rand, p, text, run{lane: background})
}

func (h *Hasher) sum(ctx context.Context, rand io.Reader, p Params, text string, r run) (PHC, error) {
	if !p.computable() {
		return PHC{}, errParams
	}
	out := decoded{params: p}
	if _, err := io.ReadFull(rand, out.salt[:]); err != nil {
		return PHC{}, fmt.Errorf("read salt: %w", err)
	}
	r.memoryKiB, r.compute = p.MemoryKiB, h.computation(out, text)
	hash, err := h.slots.do(ctx, &r)
	if err != nil {
		return PHC{}, err
	}
	copy(out.hash[:], hash)
	return Stored(out.encode()), nil
}

// Match reports whether the text is the one that was hashed.
//
// An error never means that the text is wrong: it is ErrMalformed for a hash
// that cannot be read, ErrBusy under overload, ctx's error when ctx ends
// first. Calls with the same hash and the same text at the same time share
// one computation; a text that differs in one byte has its own.
func (h *Hasher) Match(ctx context.Context, phc PHC, text string) (bool, error) {
	return h.match(ctx, check, phc, text)
}

// Lane is a Hasher whose calls wait in a lane apart.
type Lane struct {
	hasher *Hasher
	lane   lane
}

// Revocations is for keys that are presented in order to be ended.
func (h *Hasher) Revocations() Lane { return Lane{h, revocation} }

// Changes is for keys that are presented in order to be rotated or to delegate,
// and for their next versions.
func (h *Hasher) Changes() Lane { return Lane{h, change} }

// Match is Hasher.Match in this lane. It joins no computation of another lane,
// which may have to wait for longer.
func (l Lane) Match(ctx context.Context, phc PHC, text string) (bool, error) {
	return l.hasher.match(ctx, l.lane, phc, text)
}

// Sum is Hasher.Sum in this lane, for a version of the key with this id.
func (l Lane) Sum(ctx context.Context, id string, rand io.Reader, p Params, text string) (PHC, error) {
	return l.hasher.sum(ctx, rand, p, text, run{lane: l.lane, key: id})
}

func (h *Hasher) match(ctx context.Context, l lane, phc PHC, text string) (bool, error) {
	want, err := decode(phc.Reveal())
	if err != nil {
		return false, err
	}
	got, err := h.slots.do(ctx, &run{
		lane:   l,
		shared: true,
		// A digest, not the text itself: what waits here must not be worth
		// reading. A PHC string holds no NUL, so no two pairs run together.
		same:      sha256.Sum256(append([]byte{byte(l)}, phc.Reveal()+"\x00"+text...)),
		memoryKiB: want.params.MemoryKiB,
		compute:   h.computation(want, text),
	})
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want.hash[:]) == 1, nil
}

func (h *Hasher) computation(p decoded, text string) func() []byte {
	return func() []byte {
		return h.argon2([]byte(text), p.salt[:], p.params.Iterations, p.params.MemoryKiB, p.params.Parallelism, hashLength)
	}
}

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

// laneNames are the lanes to who looks on.
var laneNames = [lanes]string{"revoke", "change", "mint", "verify", "rehash"}

// Measure tells how busy the slots are, which all mounts of the process share.
func (h *Hasher) Measure(tell func(figure string, value float64, labels ...string)) {
	s := &h.slots
	s.mu.Lock()
	waiting, done, running := [lanes]int{}, s.done, s.running
	for l := range lanes {
		waiting[l] = len(s.waiting[l])
	}
	s.mu.Unlock()
	tell("argon2_slots", float64(s.atOnce))
	tell("argon2_running", float64(running))
	for l, name := range laneNames {
		tell("argon2_waiting", float64(waiting[l]), name)
		tell("argon2_runs_total", float64(done[l].runs), name)
		tell("argon2_wait_seconds_total", done[l].waited.Seconds(), name)
		tell("argon2_refused_total", float64(done[l].refused), name)
	}
}

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
