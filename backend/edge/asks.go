package edge

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/proof"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// asks is what Vault is to be asked. The same question is asked once for all who wait
// for it, many go together, and one batch at a time is on its way.
type asks struct {
	mu     sync.Mutex
	open   map[about]*question
	queue  []*question
	woken  chan struct{}
	texts  int // of a batch, at most
	rests  map[string]rest
	budget budget
	became [len(fates)]uint64
}

// fate is what became of a text that was asked about.
type fate int

const (
	isKey      fate = iota
	isNone          // Vault says that it is no key
	overBudget      // Vault was not asked, in a flood
	unanswered      // nobody waited any longer, or too many did
)

var fates = [...]string{"key", "invalid", "over_budget", "unanswered"}

// about is what a question is about: a name, or a text that has one.
type about struct {
	name
	mac proof.MAC
}

// question is one that waits or is on its way.
type question struct {
	about
	text   apikey.Presented // none of a name
	client netip.Prefix
	until  time.Duration // who waits longest
	done   chan struct{} // closed with what follows
	none   bool          // it is no key
	err    error
}

// rest is of a door that was not answered at: others do not wait for it.
type rest struct{ pause, until time.Duration }

const (
	// maxOpen bounds how many questions wait, in some 16 MiB. What is more is busy.
	maxOpen = 16384
	// The texts of a batch: what one holds up is what others wait for.
	minTexts, maxTexts = 8, 500
)

func newAsks() *asks {
	return &asks{open: make(map[about]*question), rests: make(map[string]rest), woken: make(chan struct{}, 1), texts: maxTexts, budget: newBudget()}
}

// put adds a question, or finds it. In a flood most are refused here, which costs less than
// to wait for the next batch.
func (a *asks) put(of about, text apikey.Presented, client netip.Prefix, now, until time.Duration) (*question, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q, ok := a.open[of]
	if ok {
		q.until = max(q.until, until)
		return q, nil
	}
	if len(a.open) >= maxOpen {
		a.count(text, unanswered)
		return nil, ErrBusy
	}
	if !text.None() && a.budget.spent(client, now) {
		a.count(text, overBudget)
		return nil, ErrBusy
	}
	q = &question{about: of, text: text, client: client, until: until, done: make(chan struct{})}
	a.open[of] = q
	a.queue = append(a.queue, q)
	a.wake()
	return q, nil
}

// underway tells whether a question waits or is on its way.
func (a *asks) underway(of about) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open[of] != nil
}

func (a *asks) wake() {
	select {
	case a.woken <- struct{}{}:
	default:
	}
}

// batch takes the next questions, all of the door of the one that waits longest. Those
// that nobody waits for any more, or that the budget has nothing left for, end. Where
// there are none but at doors that rest, next is when the first of these may be asked at.
func (a *asks) batch(now time.Duration) (batch []*question, next time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	texts, rest := 0, a.queue[:0:0]
	next = math.MaxInt64
	for _, q := range a.queue {
		switch {
		case q.until < now:
			a.count(q.text, unanswered)
			a.end(q, ErrBusy)
		case a.rests[q.door].until > now:
			next = min(next, a.rests[q.door].until)
			rest = append(rest, q)
		case len(batch) > 0 && q.door != batch[0].door, len(batch) == wire.MaxNames, !q.text.None() && texts == a.texts:
			rest = append(rest, q)
		case q.text.None():
			batch = append(batch, q)
		default:
			switch a.budget.take(q.client, now) {
			case mayAsk:
				batch, texts = append(batch, q), texts+1
			case later:
				rest = append(rest, q)
			default:
				a.count(q.text, overBudget)
				a.end(q, ErrBusy)
			}
		}
	}
	a.queue = rest
	return batch, next
}

// rest lets a door rest where it was not all answered there, longer each time.
func (a *asks) rest(door string, now time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.rests) > maxOpen { // of doors that nobody asks at any more
		clear(a.rests)
	}
	pause := min(max(2*a.rests[door].pause, minPause), maxPause)
	a.rests[door] = rest{pause, now + rand.N(pause)}
}

func (a *asks) rested(door string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.rests, door)
}

// end answers all who wait for a question. The caller holds mu.
func (a *asks) end(q *question, err error) {
	q.err = err
	delete(a.open, q.about)
	close(q.done)
}

// pace bounds the next batch, so that those who wait are answered in time also while
// the engine has to hash each text.
func (a *asks) pace(took, timeout time.Duration, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err != nil:
		a.texts = max(minTexts, a.texts/4)
	case took > timeout/4:
		a.texts = max(minTexts, a.texts/2)
	default:
		a.texts = min(maxTexts, a.texts*2)
	}
}

// settle answers the questions of a batch, or puts them back where they are not
// answered, and tells whether all were.
func (a *asks) settle(batch []*question, answered func(q *question) bool) (all bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var again []*question
	for _, q := range batch {
		ok := answered(q)
		if !q.text.None() {
			a.budget.settle(q.client, ok && q.none)
		}
		if ok {
			a.count(q.text, fateOf(q))
			a.end(q, q.err)
		} else {
			again = append(again, q)
		}
	}
	a.queue = append(again, a.queue...)
	if len(a.queue) > 0 {
		a.wake()
	}
	return len(again) == 0
}

func fateOf(answered *question) fate {
	if answered.none {
		return isNone
	}
	return isKey
}

// count counts what became of a question, if it is about a text. The caller holds mu.
func (a *asks) count(text apikey.Presented, became fate) {
	if !text.None() {
		a.became[became]++
	}
}

// measure tells how many questions wait, and what became of the texts among them.
func (a *asks) measure(tell func(figure string, value float64, labels ...string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	tell("questions_waiting", float64(len(a.open)))
	for of, name := range fates {
		tell("unknown_keys_total", float64(a.became[of]), name)
	}
}
