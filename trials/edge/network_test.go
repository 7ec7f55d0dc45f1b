package edge_test

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/wire"
)

// weather is what a network does to calls. The zero weather does nothing.
type weather struct {
	delay time.Duration // of a request and of an answer, at most
	lost  int           // per mille of the requests, and as many of the answers
	stale int           // per mille of the answers are those to an earlier question of the kind
	again int           // per mille of the requests are carried out twice
	cut   bool          // nothing passes
}

var errCut = errors.New("no route to host")

// network lies between one gate and Vault. What it does follows from its seed and from
// what passes.
type network struct {
	up atomic.Pointer[vault] // that the gate reaches now

	mu      sync.Mutex
	rand    *rand.Rand
	weather weather
	change  chan struct{}
	earlier map[string][]any
	holds   map[string]chan struct{} // answers of a kind wait for these
	edit    func(*wire.Changes)

	// What was known to the gate, as who sees both ends of the link knows it.
	composed time.Time     // of the latest answer to a poll that came through: when it left Vault
	certain  time.Time     // the same as far as the gate can know it
	whole    time.Time     // from when on nothing of the feed was lost or late; zero if that is not so
	slowest  time.Duration // round trip
}

func newNetwork(up *vault, seed uint64) *network {
	n := &network{rand: rand.New(rand.NewPCG(seed, 77)), change: make(chan struct{}), earlier: map[string][]any{}}
	n.up.Store(up)
	return n
}

// set changes the weather. What waits behind a cut goes on when that is mended, as a
// connection does that was not given up.
func (n *network) set(w weather) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.weather = w; w.bad() {
		n.whole = time.Time{}
	}
	close(n.change)
	n.change = make(chan struct{})
}

func (w weather) bad() bool { return w.cut || w.lost > 0 || w.stale > 0 || w.delay > fine.delay }

// fine is weather in which the feed is unbroken.
var fine = weather{delay: 20 * time.Millisecond}

// unbroken is from when on the feed was, the zero time if it is not.
func (n *network) unbroken() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.whole
}

// known is when what the gate knows was so, at the latest; and as far as it can know.
func (n *network) known() (composed, certain time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.composed, n.certain
}

func (n *network) per(mille int) bool { return mille > 0 && n.rand.IntN(1000) < mille }

// hold keeps all answers of a kind back until they are released.
func (n *network) hold(kind string) (release func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	held := make(chan struct{})
	if n.holds == nil {
		n.holds = map[string]chan struct{}{}
	}
	n.holds[kind] = held
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.holds, kind)
		close(held)
	}
}

// rewrite has what polls are answered changed on its way.
func (n *network) rewrite(edit func(*wire.Changes)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.edit = edit
}

func (n *network) edited(a *wire.Changes) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.edit != nil {
		n.edit(a)
	}
}

// keep waits for the release of an answer that is held.
func (n *network) keep(ctx context.Context, kind string) error {
	n.mu.Lock()
	held := n.holds[kind]
	n.mu.Unlock()
	if held == nil {
		return nil
	}
	select {
	case <-held:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fate is what is to become of one call.
type fate struct {
	there, back       time.Duration
	lost, unheard     bool
	stale, again, cut bool
}

func (n *network) fate() (f fate, change chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := n.weather
	if w.delay > 0 {
		f.there, f.back = rand64(n.rand, w.delay), rand64(n.rand, w.delay)
	}
	f.lost, f.unheard, f.stale, f.again, f.cut = n.per(w.lost), n.per(w.lost), n.per(w.stale), n.per(w.again), w.cut
	return f, n.change
}

func rand64(r *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(most) + 1))
}

// pass carries a call to Vault and its answer back.
func pass[A any](ctx context.Context, n *network, kind string, call func(context.Context, *vault) (A, error)) (none A, err error) {
	f, change := n.fate()
	if f.cut {
		select {
		case <-change:
			return none, errCut
		case <-ctx.Done():
			return none, ctx.Err()
		}
	}
	if err := sleep(ctx, f.there); err != nil || f.lost {
		<-ctx.Done()
		return none, ctx.Err()
	}
	up := n.up.Load()
	a, err := call(ctx, up)
	if f.again && err == nil {
		a, err = call(ctx, up)
	}
	if later := cmp.Or(sleep(ctx, f.back), n.keep(ctx, kind)); later != nil {
		return none, later
	}
	// The link may have been cut meanwhile.
	if now, _ := n.fate(); f.unheard || now.cut {
		<-ctx.Done()
		return none, ctx.Err()
	}
	return passed(n, kind, f, a, err)
}

// passed hands over an answer, or an old one in its place.
func passed[A any](n *network, kind string, f fate, a A, err error) (A, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.slowest = max(n.slowest, f.there+f.back)
	if err != nil {
		return a, err
	}
	old := n.earlier[kind]
	if f.stale && len(old) > 0 {
		return old[n.rand.IntN(len(old))].(A), nil // and what was said now is never heard
	}
	n.earlier[kind] = append(old[max(0, len(old)-20):], a)
	return a, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
