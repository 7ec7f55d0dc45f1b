package rotation

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

func (p *pair) node() *mount.Mount {
	n := &mount.Mount{T: p.T, Storage: p.Storage, System: p.System, Log: p.Log, Secrets: p.Secrets, Ctx: p.Ctx}
	n.Open()
	p.T.Cleanup(func() { n.Backend.Cleanup(context.Background()) })
	return n
}

func TestAFirstUseOnTwoNodesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := rotated(t, nil, map[string]any{"grace_period": 60})
		other := p.node()
		other.Code(p.old.Str("key"))
		began := time.Now()
		for _, n := range []*mount.Mount{p.Mount, other} {
			if got := n.Code(p.new.Str("key")); got != "valid" {
				t.Errorf("its first use is %s", got)
			}
			time.Sleep(time.Second)
		}
		for _, n := range []*mount.Mount{p.Mount, other} {
			n.Backend.InvalidateKey(t.Context(), "key/"+p.id[:2]+"/"+p.id)
			if v := n.Read("keys/" + p.id).Data["versions"].([]any)[1].(map[string]any); v["valid_until"] != began.Add(time.Minute).UTC().Format(time.RFC3339) {
				t.Errorf("the old version is %v", v)
			}
		}
		time.Sleep(time.Until(began.Add(time.Minute)))
		for _, n := range []*mount.Mount{p.Mount, other} {
			if got := n.Code(p.old.Str("key")); got != "superseded" {
				t.Errorf("after one grace the old version is %s", got)
			}
		}
	})
}

// A node that may not write passes a first use on, and notes nothing by itself; what
// took effect by time it decides as any other.
func TestANodeThatMayNotWritePassesAFirstUseOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := rotated(t, nil, map[string]any{"grace_period": 0, "pending_period": "1h"})
		standby := p.node()
		standby.System = p.System.Clone()
		standby.System.Become(consts.ReplicationPerformanceStandby)
		standby.Restart()
		if got := p.Storage.Dump(); len(got) == 0 {
			t.Fatal("there is no storage")
		}
		ask := func() (*logical.Response, error) {
			return standby.Backend.HandleRequest(t.Context(), &logical.Request{
				Operation: logical.UpdateOperation, Path: "verify", Storage: p.Storage, Data: map[string]any{"key": p.new.Str("key")}, ID: "x",
			})
		}
		if _, err := ask(); !errors.Is(err, logical.ErrReadOnly) {
			t.Errorf("it answers %v", err)
		}
		p.codes("valid", "valid")
		if got := standby.Code(p.old.Str("key")); got != "valid" {
			t.Errorf("there the old version is %s", got)
		}
		time.Sleep(time.Hour)
		before := p.Storage.Dump()
		if resp, err := ask(); err != nil || resp.IsError() {
			t.Errorf("once it took effect by time it answers %v", err)
		}
		if got := standby.Code(p.old.Str("key")); got != "superseded" {
			t.Errorf("there the old version is %s by then", got)
		}
		time.Sleep(10 * time.Second)
		if !p.Storage.SameAs(before) || strings.Contains(p.Log.String(), "not all written down") {
			t.Error("it writes, or tries to")
		}
	})
}

// Verify writes a first use and nothing else: what took effect by time says so by
// itself, and a wrong clock may be what says it.
