package backend

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/clock"
	"vault-plugin-secrets-apikeys/backend/disclose"
	"vault-plugin-secrets-apikeys/backend/ends"
	"vault-plugin-secrets-apikeys/backend/feed"
	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/proof"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/spend"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/upkeep"
	"vault-plugin-secrets-apikeys/backend/usage"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/version"
	"vault-plugin-secrets-apikeys/backend/watch"
	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/paths"
)

// mount is one mount of the engine.
type mount struct {
	*framework.Backend
	node   node
	clock  *clock.Clock
	store  *store.Store
	meter  *limit.Meter
	uses   *usage.Tracker
	watch  *watch.Watch
	feed   *feed.Feed
	tidier *upkeep.Tidier
	parts  parts

	metrics *watch.Metrics
}

// Factory makes the mounts of one process, which share its hash slots and end with
// it. It touches no storage and asks Vault nothing: Vault calls it with an empty
// configuration just to learn the plugin's version.
func Factory(hasher *keyhash.Hasher) logical.Factory { return FactoryUnder(hasher, clock.New) }

// FactoryUnder makes mounts with a clock each that begin makes: one that is wrong, for
// those who try what becomes of a mount under it.
func FactoryUnder(hasher *keyhash.Hasher, begin func(told func(clock.Change)) *clock.Clock) logical.Factory {
	process := new(sync.Map)
	return func(ctx context.Context, config *logical.BackendConfig) (logical.Backend, error) {
		if config == nil {
			return nil, errors.New("no configuration was passed to the factory")
		}
		own := *config
		if own.System != nil {
			own.System = &steadySystem{SystemView: own.System}
		}
		if own.Logger == nil {
			own.Logger = hclog.NewNullLogger()
		}
		m := newMount(hasher, &own, begin, process)
		if err := m.Setup(ctx, &own); err != nil {
			return nil, fmt.Errorf("set up the mount: %w", err)
		}
		return &guard{mount: m}, nil
	}
}

// newMount makes each part of what is made before it.
func newMount(hasher *keyhash.Hasher, config *logical.BackendConfig, begin func(told func(clock.Change)) *clock.Clock, process *sync.Map) *mount {
	logger, size := config.Logger, record.DefaultConfig().VerifyCacheSize
	here := node{config.System, config.EventsSender, logger}
	ticks := begin(func(change clock.Change) { tell(logger, change) })
	records, proofs, seen := store.New(config.StorageView), proof.New(size), ends.New(ticks)
	uses, meter := usage.New(records, size, here.writable), limit.NewMeter(records)
	unused := idle.New(uses, records, here.writable, ticks)
	told := feed.New(records, ticks, rand.Reader, here.writable)
	watched := watch.New(watch.Mount{
		Store: records, Uses: uses, Ends: seen, Clock: ticks, Logger: logger, Writable: here.writable, Notify: here.send,
	})
	counted := parts{uses, meter, watched}
	resolver := lineage.Resolver{Reader: records, Idle: unused, Ends: seen, Clock: ticks}
	prover := func(lane verify.Matcher) verify.Prover {
		return &verify.ByHash{Reader: records, Matcher: lane, Proofs: proofs, Traps: watched, Writable: here.writable}
	}
	engine := &lifecycle.Engine{
		Store: records, Resolver: resolver, Hasher: hasher, Clock: ticks, Random: rand.Reader, Logger: logger,
		Prover:  prover(hasher.Changes()),
		Revoker: prover(hasher.Revocations()),
		Refused: watched.Observe,
		Caps:    here.caps,
		Gone:    counted.forget,
		Notify:  here.notify,
	}
	kept := &upkeep.Mount{
		Store:    records,
		Resolver: resolver,
		Clock:    ticks,
		Logger:   logger,
		Writable: here.writable,
		Gone:     counted.forget,
		Redated:  uses.Refresh,
		Noted:    func(id string) { told.Tell(wire.KeyKind, id) },
	}
	tidier, rehasher := upkeep.NewTidier(kept), upkeep.NewRehasher(kept, hasher, rand.Reader, proofs)
	idler, flusher := upkeep.NewIdleEnds(kept), upkeep.NewFlusher(kept, uses, meter)
	activator := upkeep.NewActivator(kept)
	unused.OnNote(kept.Noted)
	m := &mount{
		node: here, clock: ticks, store: records, meter: meter, uses: uses, watch: watched, feed: told, tidier: tidier,
		parts: append(counted, told, records, proofs, hasher, tidier, rehasher, idler, activator, sibling{flusher, upkeep.NewRecorder(kept, watched), process}),
	}
	m.metrics = watch.NewMetrics(records, m.parts.measure)
	m.parts = append(m.parts, m.metrics)
	verifier := &verify.Verifier{
		Prover:    prover(hasher),
		Resolver:  resolver,
		Limiter:   meter,
		Observer:  &Observer{flusher, activator, rehasher, m.metrics, watched},
		Undecided: m.metrics.Undecided,
		Writable:  here.writable,
	}
	meter.OnMiss(func(id string) { told.Tell(wire.QuotaKind, id) })
	book := &spend.Book{Resolver: resolver, Lender: meter, Observer: verifier.Observer, Clock: ticks, Writable: here.writable}
	records.OnChange(m.changed)
	m.Backend = m.framework(verifier, engine, book)
	return m
}

// framework declares the mount to Vault.
func (m *mount) framework(verifier *verify.Verifier, engine *lifecycle.Engine, book *spend.Book) *framework.Backend {
	return &framework.Backend{
		Help:           strings.TrimSpace(help),
		BackendType:    logical.TypeLogical,
		RunningVersion: version.Number(),
		Paths:          m.paths(verifier, engine, book),
		Secrets:        paths.Secrets(engine, m.node.system, m.clock, engine.Logger),
		PathsSpecial: &logical.Paths{
			Root:            paths.Root(),
			SealWrapStorage: store.SealWrapped(),
			LocalStorage:    store.Local(),
		},
		InitializeFunc: m.initialize,
		PeriodicFunc:   m.periodic,
		Invalidate:     m.invalidate,
		Clean:          m.clean,
	}
}

// paths are what can be asked of the mount. What is asked all day comes first.
func (m *mount) paths(verifier *verify.Verifier, engine *lifecycle.Engine, book *spend.Book) []*framework.Path {
	answers := paths.KeyAnswers{Lineages: engine, Uses: m.uses, Roles: m.store, Limits: m.meter, Clock: m.clock, Log: engine.Logger}
	return paths.All(engine.Logger,
		&paths.Verify{Verifier: verifier, Config: m.store, Log: engine.Logger},
		paths.Authorize{Verifier: verifier},
		paths.Issue{Issuer: engine, System: m.node.system, Clock: m.clock},
		paths.Rotate{Rotator: engine, Clock: m.clock, Answers: answers},
		paths.Revoke{Revoker: engine, Answers: answers},
		paths.Delegate{Delegator: engine, Clock: m.clock},
		paths.Lists{Keys: m.store, Finder: engine, Lineages: engine, Log: engine.Logger},
		paths.Keys{Keeper: engine, Answers: answers},
		paths.Static{Keeper: engine, System: m.node.system, Answers: answers},
		paths.Roles{Store: m.store, Writer: engine, Config: m.store},
		paths.Config{Store: m.store, Writer: engine},
		paths.Stop{Stopper: engine},
		paths.Usage{Counters: m.uses, Keys: engine, Owners: m.store, Clock: m.clock},
		paths.Metrics{Source: m.metrics},
		paths.Gate{Feed: m.feed},
		paths.Disclose{Records: m.records(verifier), Log: engine.Logger},
		paths.GateSpending{Book: book, Log: engine.Logger},
		paths.Gates{List: m.feed},
		paths.Honeytokens{Planter: m.watch},
		paths.Alerts{Alerts: m.watch},
		paths.Tidy{Tidier: m.tidier},
		paths.Info{Version: version.Number(), Commit: version.Commit()},
	)
}

// records are those that gates are told, which decide as the mount does.
func (m *mount) records(verifier *verify.Verifier) *disclose.Records {
	return &disclose.Records{
		Prover: verifier.Prover, Refused: m.watch.Observe, Resolver: verifier.Resolver,
		Keys: m.store, Feed: m.feed, Clock: m.clock, Writable: m.node.writable,
	}
}

const help = `
The API keys secrets engine mints, rotates, revokes and verifies the API keys
with which customers and services call your APIs. It stores their metadata and
Argon2id hashes, never the keys.

Write a role, issue a key of it, and let your gateway ask verify/<role> on every
request.
`
