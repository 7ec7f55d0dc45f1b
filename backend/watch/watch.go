package watch

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/ends"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// Mount is what is watched. All fields are required.
type Mount struct {
	Store  *store.Store
	Uses   Uses
	Ends   *ends.Seen
	Clock  interface{ Now() record.Time }
	Logger hclog.Logger
	// Writable tells whether this node may write.
	Writable func() bool
	// Notify tells Vault's event system. It is called behind the answers.
	Notify func(ctx context.Context, what string, of ...string)
}

// Uses tell from where a key was last used.
type Uses interface {
	Usage(ctx context.Context, of record.Subject) (record.Usage, error)
}

// Watch is the honeytokens and alerts of one mount. It is safe for concurrent use.
type Watch struct {
	Mount
	woken chan struct{}

	traps atomic.Pointer[map[apikey.Digest]string] // names by digest
	// changes counts from when on storage may hold others than are in memory, and
	// loaded is as far as they were read.
	changes, loaded atomic.Int64

	// writing is held over what is read of storage and written to it. It is taken
	// before mu, which is not.
	writing sync.Mutex

	mu     sync.Mutex
	tokens map[string]*token
	alerts map[string]*alert
	rates  rates
}

type token struct {
	record.Honeytoken
	behind
}

// behind is how far what is in memory is ahead of what was written.
type behind struct{ changed, written int }

func (b *behind) dirty() bool { return b.changed != b.written }

// New makes the watch of a mount. It touches no storage.
func New(m Mount) *Watch {
	w := &Watch{Mount: m, woken: make(chan struct{}, 1), tokens: make(map[string]*token), alerts: make(map[string]*alert)}
	w.Configure(record.DefaultConfig())
	w.traps.Store(new(map[apikey.Digest]string))
	w.Refresh()
	return w
}

// Configure changes by what alerts are raised.
func (w *Watch) Configure(c record.Config) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rates.warning, w.rates.critical = int64(c.AlertWarningPerHour), int64(c.AlertCriticalPerHour)
}

// Refresh has the entries read again, because another node wrote.
func (w *Watch) Refresh() { w.changes.Add(1) }

// Forget drops what is counted of a key that is gone. An alert about it stays.
func (w *Watch) Forget(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.rates.refusals, id)
}

// Known and Find are those of verify.Traps.

// Known answers from memory.
func (w *Watch) Known(digest apikey.Digest) (name string, known bool) {
	known = w.loaded.Load() == w.changes.Load() // before the look: what it finds is no older
	return (*w.traps.Load())[digest], known
}

// Find answers by what is stored.
func (w *Watch) Find(ctx context.Context, digest apikey.Digest) (name string, err error) {
	err = w.load(ctx)
	name, _ = w.Known(digest)
	return name, err
}

// Observe looks at a refusal, by verify or where a holder presents a key to change it. It
// only touches memory, and takes as long for a honeytoken as for a forged key.
func (w *Watch) Observe(o *verify.Observation) {
	if o.Decision.Valid() || !w.Writable() {
		return
	}
	if o.Reported != nil {
		o.At = w.Clock.Now() // an hour is counted as it comes: a moment of the past would begin it anew
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case o.Honeytoken != "":
		w.used(o.Honeytoken, o.At, o.ClientIP)
	case o.Decision.Proven():
		w.refused(o)
	case o.Failure == verify.Forged || o.Failure == verify.WrongSecret:
		w.above(&w.rates.forged, record.Alert{Kind: record.ForgedKeys}, 1, o.At, o.ClientIP)
	}
}

// used counts a use of a honeytoken. It needs the lock, as all below do.
func (w *Watch) used(name string, now record.Time, from netip.Addr) {
	t := w.tokens[name]
	if t == nil {
		return // deleted since it was recognised
	}
	t.See(1, now, from)
	t.Trip()
	t.changed++
	a := w.raise(record.Alert{Kind: record.HoneytokenUsed, Honeytoken: name, KeyID: t.KeyID, Severity: record.Critical}, 1, now, from)
	a.KeyID, a.Hits = t.KeyID, t.Count // it may be another than the alert was opened for
}

// refused looks at a refusal of a proven key. A brownout is a reminder, and no sign of
// anything.
func (w *Watch) refused(o *verify.Observation) {
	id := o.Decision.Key.ID
	switch o.Decision.Code {
	case verify.Revoked, verify.Superseded:
		if o.Decision.RetryAfter > 0 {
			return
		}
		a := w.raise(record.Alert{Kind: record.EndedKeyUsed, KeyID: id, Severity: record.Warning}, o.Count(), o.At, o.ClientIP)
		a.lies(o.ClientIP, o.Lineage.Key.Current().Number)
	default:
		if r := w.rates.of(id, o.At); r != nil {
			w.above(r, record.Alert{Kind: record.KeyRefusals, KeyID: id}, o.Count(), o.At, o.ClientIP)
		}
	}
}

// Woken tells that there is something to write.
func (w *Watch) Woken() <-chan struct{} { return w.woken }

func (w *Watch) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}
