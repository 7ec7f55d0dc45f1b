package feed

import (
	"context"
	"errors"
	"time"

	"vault-plugin-secrets-apikeys/backend/wire"
)

// proof is that this node was the one that writes: a write that began at a moment has
// succeeded. Whoever takes over is elected after that moment, so nothing that was
// answered before it is unknown here.
//
// A node that was deposed does not know it at once. One that was suspended, machine and
// all, goes on where it stood, and would tell gates for a moment after it wakes, however
// long it slept, that nothing has changed. It cannot write. So whoever has no reason to
// believe this node, since nobody answered for a while, asks without a wait, and is
// answered by a proof. Whoever was answered all the time needs none: see package edge.
//
// One write proves it to all polls that arrived before it began, and there is one at a
// time, however many ask: a flood of polls is a few small writes a second, of an entry
// that nobody else writes, under no lock that anybody else takes.
type proof struct {
	began time.Time
	err   error
	done  chan struct{}
}

// patience bounds the write of a proof, which outlives the poll that began it. It is as
// long as Vault may be held up by a poll.
const patience = wire.MaxWait * time.Millisecond

var errUnproven = errors.New("the write of a proof did not end")

// prove waits for a proof that has not begun yet, and answers when it did. That is two
// writes away at most. It takes no place of the polls that wait for changes: those who
// take all of them keep nobody from beginning.
func (f *Feed) prove(ctx context.Context) (began time.Time, err error) {
	p := f.unbegun()
	select {
	case f.proving <- struct{}{}:
		f.write(ctx, p)
	case <-p.done:
	case <-ctx.Done():
		return began, ctx.Err()
	case <-f.ended:
		return began, errEnded
	}
	return p.began, p.err
}

// unbegun is the next proof. What arrived while one is written was not there when that
// began.
func (f *Feed) unbegun() *proof {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.proof == nil {
		f.proof = &proof{done: make(chan struct{})}
	}
	return f.proof
}

// write makes a proof, unless that was done by the time that the turn came. The one who
// asked first may hang up meanwhile; the others have not.
func (f *Feed) write(ctx context.Context, p *proof) {
	defer func() { <-f.proving }()
	f.mu.Lock()
	if f.proof != p {
		f.mu.Unlock()
		return
	}
	f.proof, p.began, p.err = nil, time.Now(), errUnproven // which a panic leaves
	term := f.last
	f.mu.Unlock()
	defer close(p.done)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	p.err = f.terms.HoldTerm(ctx, term.Term, term.Suffix)
}
