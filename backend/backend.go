package backend

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/clock"
	"vault-plugin-secrets-apikeys/backend/ends"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/proof"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/upkeep"
	"vault-plugin-secrets-apikeys/backend/usage"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/paths"
)

// mount is one mount of the engine: its services and its framework backend.
type mount struct {
	*framework.Backend
	clock    *clock.Clock
	store    *store.Store
	proofs   *proof.Cache
	uses     *usage.Tracker
	ends     *ends.Seen
	meter    *limit.Meter
	tidier   *upkeep.Tidier
	rehasher *upkeep.Rehasher
	idleEnds *upkeep.IdleEnds
	flusher  *upkeep.Flusher
	siblings *siblings
}

// Factory makes the mounts of one process, which share its hash slots and end with
// it. It touches no
// storage and asks Vault nothing: Vault calls it with an empty configuration
// just to learn the plugin's version.
func Factory(hasher *keyhash.Hasher) logical.Factory { return FactoryUnder(hasher, clock.New) }

// FactoryUnder makes mounts with a clock each that begin makes: one that is wrong, for
// those who try what becomes of a mount under it.
func FactoryUnder(hasher *keyhash.Hasher, begin func(told func(clock.Change)) *clock.Clock) logical.Factory {
	process := &siblings{live: make(map[*upkeep.Flusher]bool)}
	return func(ctx context.Context, config *logical.BackendConfig) (logical.Backend, error) {
		if config == nil {
			return nil, errors.New("no configuration was passed to the factory")
		}
		own := *config
		if own.System != nil {
			own.System = &steadySystem{SystemView: own.System}
		}
		m := newMount(hasher, &own, begin)
		m.siblings = process
		if err := m.Setup(ctx, &own); err != nil {
			return nil, fmt.Errorf("set up the mount: %w", err)
		}
		return &guard{mount: m}, nil
	}
}

func newMount(hasher *keyhash.Hasher, config *logical.BackendConfig, begin func(told func(clock.Change)) *clock.Clock) *mount {
	logger := config.Logger
	if logger == nil {
		logger = hclog.NewNullLogger()
	}
	size := record.DefaultConfig().VerifyCacheSize
	records := store.New(config.StorageView)
	m := &mount{
		store:  records,
		proofs: proof.New(size),
		meter:  limit.NewMeter(records),
	}
	m.clock = begin(func(change clock.Change) { tell(logger, change) })
	records.OnChange(m.changed)
	m.ends = ends.New(m.clock)
	m.uses = usage.New(records, size, m.writable, m.clock.Now())
	resolver := lineage.Resolver{Reader: m.store, Uses: m.uses, Ends: m.ends, Clock: m.clock}
	prover := func(lane verify.Matcher) *verify.Prover {
		return &verify.Prover{Reader: m.store, Matcher: lane, Proofs: m.proofs}
	}
	engine := &lifecycle.Engine{
		Store:    m.store,
		Prover:   prover(hasher.Changes()),
		Revoker:  prover(hasher.Revocations()),
		Resolver: resolver,
		Hasher:   hasher,
		Clock:    m.clock,
		Random:   rand.Reader,
		Logger:   logger,
		Caps:     m.caps,
		Gone:     m.gone,
		Notify:   m.notify,
	}
	kept := &upkeep.Mount{
		Store:    m.store,
		Resolver: resolver,
		Clock:    m.clock,
		Logger:   logger,
		Writable: m.writable,
		Gone:     m.gone,
		Redated:  m.uses.Refresh,
	}
	m.tidier = upkeep.NewTidier(kept)
	m.rehasher = upkeep.NewRehasher(kept, hasher, rand.Reader, m.proofs)
	m.idleEnds = upkeep.NewIdleEnds(kept, m.uses)
	m.flusher = upkeep.NewFlusher(kept, m.uses, m.meter)
	verifier := &verify.Verifier{
		Prover:   prover(hasher),
		Resolver: resolver,
		Limiter:  m.meter,
		Observer: verify.Observers{m.flusher, m.idleEnds, m.rehasher},
	}
	m.Backend = m.framework(verifier, engine)
	return m
}

// framework declares the mount to Vault.
func (m *mount) framework(verifier *verify.Verifier, engine *lifecycle.Engine) *framework.Backend {
	return &framework.Backend{
		Help:           strings.TrimSpace(help),
		BackendType:    logical.TypeLogical,
		RunningVersion: Version(),
		Paths:          m.paths(verifier, engine),
		Secrets:        paths.Secrets(engine, m.system, m.clock, engine.Logger),
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
func (m *mount) paths(verifier *verify.Verifier, engine *lifecycle.Engine) []*framework.Path {
	answers := paths.KeyAnswers{Lineages: engine, Uses: m.uses, Roles: m.store, Limits: m.meter, Clock: m.clock, Log: engine.Logger}
	return paths.All(engine.Logger,
		&paths.Verify{Verifier: verifier, Config: m.store, Log: engine.Logger},
		paths.Authorize{Verifier: verifier},
		paths.Issue{Issuer: engine, System: m.system, Clock: m.clock},
		paths.Rotate{Rotator: engine, Clock: m.clock},
		paths.Revoke{Revoker: engine, Answers: answers},
		paths.Delegate{Delegator: engine, Clock: m.clock},
		paths.Lists{Keys: m.store, Lineages: engine, Clock: m.clock, Log: engine.Logger},
		paths.Keys{Keeper: engine, Answers: answers},
		paths.Roles{Store: m.store, Writer: engine, Config: m.store},
		paths.Config{Store: m.store, Writer: engine, Changed: m.configured},
		paths.Stop{Stopper: engine},
		paths.Tidy{Tidier: m.tidier},
		paths.Info{Version: Version(), Commit: Commit()},
	)
}

// system is Vault's view of the system, which the mount has once it is set up.
func (m *mount) system() logical.SystemView { return m.System() }

const help = `
The API keys secrets engine mints, rotates, revokes and verifies the API keys
with which customers and services call your APIs. It stores their metadata and
Argon2id hashes, never the keys.

Write a role, issue a key of it, and let your gateway ask verify/<role> on every
request.
`
