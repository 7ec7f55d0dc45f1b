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

// sibling is what a mount writes behind its answers, among that of the mounts that one
// process serves. The end of a mount may be that of the process, of which Vault tells
// the others nothing.
type sibling struct {
	*upkeep.Flusher
	recorder *upkeep.Recorder
	all      *sync.Map // the siblings that run, by their flushers
}

// Start starts both and has the others know of them.
func (s sibling) Start(ctx context.Context) error {
	err := errors.Join(s.recorder.Start(ctx), s.Flusher.Start(ctx))
	if err == nil {
		s.all.Store(s.Flusher, s)
	}
	return err
}

// Stop stops both, and secures those of the others: the process may end now.
func (s sibling) Stop() {
	s.all.Delete(s.Flusher)
	var stops sync.WaitGroup
	stops.Go(s.Flusher.Stop)
	stops.Go(s.recorder.Stop)
	s.all.Range(func(_, other any) bool {
		stops.Go(other.(sibling).Flusher.Secure)
		stops.Go(other.(sibling).recorder.Secure)
		return true
	})
	stops.Wait()
}
