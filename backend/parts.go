package backend

import (
	"context"
	"errors"
	"sync"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/upkeep"
	"vault-plugin-secrets-apikeys/backend/watch"
)

// parts are what a mount is made of. Each has the methods that it needs:
//
//	Start(context.Context) error    on a node that may write, again and again until it works
//	Stop()                          when the mount goes away, at the same time as the others
//	Configure(record.Config)        at the start and with each new configuration
//	Forget(id string)               when a key's record was removed
//	Measure(watch.Tell)             at each scrape of the metrics
type parts []any

// each does something with all that can.
func each[P any](all parts, do func(P)) {
	for _, part := range all {
		if able, ok := part.(P); ok {
			do(able)
		}
	}
}

func (all parts) start(ctx context.Context) (err error) {
	each(all, func(p interface{ Start(context.Context) error }) { err = errors.Join(err, p.Start(ctx)) })
	return err
}

func (all parts) stop() {
	var stops sync.WaitGroup
	each(all, func(p interface{ Stop() }) { stops.Go(p.Stop) })
	stops.Wait()
}

func (all parts) configure(c record.Config) {
	each(all, func(p interface{ Configure(record.Config) }) { p.Configure(c) })
}

func (all parts) forget(id string) {
	each(all, func(p interface{ Forget(id string) }) { p.Forget(id) })
}

func (all parts) measure(tell watch.Tell) {
	each(all, func(p interface{ Measure(watch.Tell) }) { p.Measure(tell) })
}

// sibling is a mount's flusher among those of the mounts that one process serves.
// The end of a mount may be that of the process, of which Vault tells the others
// nothing.
type sibling struct {
	*upkeep.Flusher
	all *sync.Map // the flushers that run
}

// Start starts the flusher and has the others know of it.
func (s sibling) Start(ctx context.Context) error {
	err := s.Flusher.Start(ctx)
	if err == nil {
		s.all.Store(s.Flusher, nil)
	}
	return err
}

// Stop stops the flusher, and secures those of the others: the process may end now.
func (s sibling) Stop() {
	s.all.Delete(s.Flusher)
	var stops sync.WaitGroup
	stops.Go(s.Flusher.Stop)
	s.all.Range(func(other, _ any) bool {
		stops.Go(other.(*upkeep.Flusher).Secure)
		return true
	})
	stops.Wait()
}
