package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/ends"
	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verdict"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/trials/mount"
)

// Resolve asks a mount about texts, at the door of a role or, without one, of all.
func Resolve(m *mount.Mount, role string, ask map[string]any) (told wire.Told) {
	m.T.Helper()
	path := "gate/resolve"
	if role != "" {
		path += "/" + role
	}
	a := m.Must(path, ask)
	raw, err := json.Marshal(a.Data)
	if err == nil {
		err = json.Unmarshal(raw, &told)
	}
	if err != nil {
		m.T.Fatal(err)
	}
	return told
}

// Held is what was told of texts, and decides by it, as time passes, by the engine's
// code: for those who try that nothing is missing in it. It hears of no change.
type Held struct {
	t     testing.TB
	texts []string
	told  wire.Told
	since time.Time
}

// Hold asks a mount about texts and holds what it is told.
func Hold(m *mount.Mount, role string, texts ...string) *Held {
	m.T.Helper()
	told := Resolve(m, role, map[string]any{"keys": texts})
	if len(told.Results) != len(texts) {
		m.T.Fatalf("of %d texts it was told %d", len(texts), len(told.Results))
	}
	return &Held{m.T, texts, told, time.Now()}
}

// Decide is the verdict about a text, without what only limits tell.
func (h *Held) Decide(r verify.Request) map[string]any {
	h.t.Helper()
	v := verify.Verifier{
		Prover: h, Limiter: unlimited{}, Observer: nobody{}, Writable: func() bool { return true },
		Resolver: lineage.Resolver{Reader: h, Idle: idle.New(h, h, func() bool { return true }, h), Ends: ends.New(h), Clock: h},
	}
	d, err := v.Verify(h.t.Context(), r)
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	return verdict.Data(&d, false)
}

// Prove is by what was told of the text.
func (h *Held) Prove(ctx context.Context, text apikey.Presented, _ string) (verify.Proof, error) {
	for i, r := range h.told.Results {
		switch {
		case h.texts[i] != text.Reveal():
		case r.Code == wire.CodeInvalid:
			return verify.Proof{}, nil
		case r.Error != "":
			return verify.Proof{}, fmt.Errorf("%d %s", r.Status, r.Error)
		default:
			k, found, err := h.Key(ctx, r.KeyID)
			if v := k.Find(r.Version); err == nil && found && v != nil && !v.Hash.None() {
				return verify.Proof{Key: k, Version: *v}, nil
			}
			return verify.Proof{}, err
		}
	}
	return verify.Proof{}, fmt.Errorf("nothing was told of the text")
}

// Key, Role and Owner are what was told; whatever is needed must have been.

func (h *Held) Key(_ context.Context, id string) (record.Key, bool, error) {
	shown, there := h.told.Records[id]
	if !there {
		h.t.Errorf("a verdict needs the key %s, which was not told", id)
	}
	if shown == nil {
		return record.Key{}, false, nil
	}
	k, err := shown.Record(id, record.Time(h.told.Now/1000))
	return k, true, err
}

func (h *Held) Role(_ context.Context, name string) (record.Role, bool, error) {
	shown, there := h.told.Roles[name]
	if !there {
		h.t.Errorf("a verdict needs the role %s, which was not told", name)
	}
	if shown == nil {
		return record.Role{}, false, nil
	}
	role, err := shown.Record()
	return role, true, err
}

func (h *Held) Owner(_ context.Context, name string) (record.Owner, bool, error) {
	shown, there := h.told.Owners[name]
	if !there {
		h.t.Errorf("a verdict needs the owner %s, which was not told", name)
	}
	if shown == nil {
		return record.Owner{}, false, nil
	}
	return shown.Record(), true, nil
}

// Uses and UsageGaps are what an idle_timeout counts from.

func (h *Held) Uses(_ context.Context, id string) (record.Uses, error) {
	return record.Uses{Last: h.told.Records[id].ActiveAt}, nil
}

func (*Held) UsageGaps(context.Context, record.Time) (idle.Gaps, error) { return nil, nil }

// Now is the engine's time, as it has gone on since.
func (h *Held) Now() record.Time {
	return record.Time((h.told.Now + time.Since(h.since).Milliseconds()) / 1000)
}

func (h *Held) Elapsed() time.Duration { return time.Since(h.since) }

func (*Held) Undone(_, _ time.Duration) bool { return false }

type nobody struct{}

func (nobody) Observe(verify.Observation) {}

type unlimited struct{}

func (unlimited) Take(context.Context, []limit.Line, int64, record.Time) (limit.Verdict, error) {
	return limit.Verdict{Outcome: limit.Allowed}, nil
}

func (unlimited) Peek(context.Context, limit.Line, record.Time) (limit.Remaining, error) {
	return limit.Remaining{}, nil
}
