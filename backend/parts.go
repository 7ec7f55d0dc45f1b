package backend

import (
	"context"
	"errors"
	"sync"

	"vault-plugin-secrets-apikeys/backend/record"
)

// parts are what a mount is made of. Each has the methods that it needs:
//
//	Start(context.Context) error    on a node that may write, again and again until it works
//	Stop()                          when the mount goes away, at the same time as the others
//	Configure(record.Config)        at the start and with each new configuration
//	Forget(id string)               when a key's record was removed
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
