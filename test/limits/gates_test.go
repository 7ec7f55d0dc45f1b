package limits

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// upstream is a real Vault as a gate's limits and uses see it.
type upstream struct {
	engine
	t    *testing.T
	dead atomic.Bool
	held atomic.Int64 // units that were granted, and neither given back nor spent
}

var errDead = errors.New("the gate is dead")

func (u *upstream) Reserve(_ context.Context, role string, r wire.Reserve) (answer wire.Grants, err error) {
	if u.dead.Load() {
		return answer, errDead
	}
	for _, w := range r.Want {
		u.held.Add(-w.GiveBack)
	}
	err = u.call("gate/reserve/"+role, r, &answer)
	for _, g := range answer.Grants {
		u.held.Add(g.Granted)
	}
	return answer, err
}

func (u *upstream) Report(_ context.Context, role string, r wire.Report) error {
	return u.call("gate/report/"+role, r, new(wire.Reported))
}

func (u *upstream) call(path string, says, answer any) error {
	if u.dead.Load() {
		return errDead
	}
	a := u.Ask(u.t, "POST", path, says)
	if a.Status != 200 {
		return fmt.Errorf("%s: %d", path, a.Status)
	}
	raw, err := json.Marshal(a.Data())
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, answer)
}

// gate is the spending half of one, which hears who looks for units until ctx ends.
func (e engine) gate(ctx context.Context, t *testing.T, name string) (*upstream, *edge.Quotas) {
	u := &upstream{engine: e, t: t}
	now := func() record.Time { return record.At(time.Now()) }
	q := edge.NewQuotas(u, name, "r1", now, func() time.Duration { return 2 * time.Second }, func(string) {})
	var loops sync.WaitGroup
	t.Cleanup(loops.Wait)
	loops.Go(func() { q.Run(ctx) })
	loops.Go(func() {
		for cursor := ""; ctx.Err() == nil && !u.dead.Load(); {
			var heard wire.Changes
			if err := u.call("gate/changes", wire.Poll{Gate: name, Run: "r1", Nonce: "n", Cursor: cursor, Wait: 200}, &heard); err != nil {
				t.Error(err)
				return
			}
			cursor = heard.Cursor
			for _, change := range heard.Changes {
				if kind, id := wire.Parse(change); kind == wire.QuotaKind {
					q.Spent(ctx, id)
				}
			}
		}
	})
	return u, q
}

// TestFiveGatesSpendAQuotaToItsEnd: one of them is killed on the way. What it held is
// lost, at most a block; of the rest not a unit is, and none is spent twice.
func TestFiveGatesSpendAQuotaToItsEnd(t *testing.T) {
	t.Parallel()
	const quota = 640
	e := mounted(t)
	k := e.issue(t, fields{"quota": quota})
	created, err := time.Parse(time.RFC3339, e.Read(t, "keys/"+k.ID)["created_at"].(string))
	if err != nil {
		t.Fatal(err)
	}
	line := limit.Line{ID: k.ID, Role: e.web, Created: record.At(created), Limits: record.Limits{RateLimitPeriod: 1, Quota: quota}}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var spent atomic.Int64
	var killed *upstream
	var clients sync.WaitGroup
	for i := range 5 {
		u, q := e.gate(ctx, t, fmt.Sprintf("edge-%d", i))
		if i == 0 {
			killed = u
		}
		clients.Go(func() {
			for last := time.Now(); time.Since(last) < 3*time.Second; {
				v, err := q.Meter.Take(ctx, []limit.Line{line}, 1, record.At(time.Now()))
				switch {
				case err != nil:
					t.Error(err)
					return
				case v.Outcome == limit.Allowed:
					spent.Add(1)
					u.held.Add(-1)
					last = time.Now()
				}
				if i == 0 && spent.Load() > quota/2 {
					u.dead.Store(true)
					return
				}
				time.Sleep(2 * time.Millisecond)
			}
			if err := q.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	clients.Wait()
	lost := killed.held.Load()
	t.Logf("%d spent, %d lost with the gate that was killed", spent.Load(), lost)
	if lost > quota/32 || spent.Load()+lost != quota {
		t.Errorf("of %d there were %d spent and %d lost", quota, spent.Load(), lost)
	}
	if d := e.Verify(t, k.Text); d["code"] != "quota_exceeded" {
		t.Errorf("then it is %v", d["code"])
	}
}

func TestWhatAGateReportsIsCounted(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	k := e.issue(t, fields{"owner": "acme"})
	u := &upstream{engine: e, t: t}
	uses := edge.NewUses(u, "edge-1", slog.New(slog.DiscardHandler))
	o := verify.Observation{At: record.At(time.Now()), Role: e.web, ClientIP: netip.MustParseAddr("10.1.2.3"), Cost: 1}
	o.Decision.Code = verify.Valid
	o.Decision.Key = record.Key{ID: k.ID, Role: e.web}
	o.Decision.Version = record.Version{Number: 1}
	for range 7 {
		uses.Observe(&o)
	}
	for range 2 {
		if err := uses.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	counted := e.Read(t, "usage/keys/"+k.ID)
	if fmt.Sprint(counted["verifications"]) != "7" || counted["last_client_ip"] != "10.1.2.3" {
		t.Errorf("counted is %v", counted)
	}
	if at := e.Read(t, "keys/"+k.ID)["last_used_at"]; at != o.At.String() {
		t.Errorf("it was last used at %v", at)
	}
}
