package models

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// TestHoneytokensAreWhatAModelOfThemIs prints the seeds that fail: see
// TestRandomOperationsAgreeWithTheModel.
func TestHoneytokensAreWhatAModelOfThemIs(t *testing.T) {
	first, seeds, steps := fromEnv("MODEL_SEED", 1), fromEnv("MODEL_SEEDS", 12), fromEnv("MODEL_STEPS", 150)
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &planter{planting: &planting{m: mount.New(t), traps: map[string]*trap{}, keys: map[string]*lying{}, alerts: map[string]*opened{}}, rand: rand.New(rand.NewPCG(uint64(seed), 7))}
				p.m.Must("roles/web", map[string]any{"generate_lease": false, "ttl": "20d"})
				for range 4 {
					p.issue()
				}
				for range steps {
					p.step()
					p.look()
				}
			})
		})
	}
}

// planter is a walk by chance.
type planter struct {
	*planting
	rand *rand.Rand
}

func (p *planter) want(status int, what string, a mount.Answer) {
	p.m.T.Helper()
	p.told = append(p.told, fmt.Sprintf("%s %s: %d %s", time.Now().Format("15:04:05"), what, a.Status, a.Text))
	if a.Status != status {
		p.fail("%s answers %d %s, want %d", what, a.Status, a.Text, status)
	}
}

func (p *planter) fail(format string, of ...any) {
	p.m.T.Helper()
	p.m.T.Fatalf(format+", after\n%q", append(of, p.told[max(0, len(p.told)-15):])...)
}

func (p *planter) issue() {
	a := p.m.Must("issue/web", map[string]any{"owner": "acme"})
	p.keys[a.Str("key_id")] = &lying{id: a.Str("key_id")}
}

func (p *planter) step() {
	name := []string{"wiki", "readme", "backup"}[p.rand.IntN(3)]
	switch n := p.rand.IntN(100); {
	case n < 15:
		p.plant(name)
	case n < 55:
		p.spend(name)
	case n < 60:
		p.uproot(name)
	case n < 66:
		p.acknowledge(name)
	case n < 80:
		p.change()
	case n < 84:
		p.pass()
		p.m.Restart()
	case n < 87:
		p.m.Restart() // in order: nothing is lost
		p.settled()
	case n < 92:
		p.kill()
	default:
		p.pass()
	}
}

// pass lets pass what is promised: a second.
func (p *planter) pass() {
	time.Sleep(time.Second)
	synctest.Wait()
	p.settled()
}

func (p *planter) settled() {
	p.planting.settle()
	p.told = append(p.told, "settled")
}

// plant makes a honeytoken, or writes one again.
func (p *planter) plant(name string) {
	p.m.T.Helper()
	disables, data := []string{}, map[string]any{"role": "web", "description": fmt.Sprint(p.rand.IntN(100))}
	for _, id := range sorted(p.keys) {
		if p.rand.IntN(3) == 0 && !p.keys[id].absent {
			disables = append(disables, id)
		}
	}
	t := p.traps[name]
	arms := t == nil || p.rand.IntN(2) == 0
	if arms {
		data["disables"] = disables
	}
	a := p.m.Write("honeytokens/"+name, data)
	p.want(200, fmt.Sprint("write ", name, " ", data["disables"]), a)
	if t == nil {
		t = &trap{name: name, text: a.Key(), tripped: map[string]bool{}, armed: map[string]bool{}, alert: p.alerts[name]}
		p.traps[name] = t
	}
	if (a.Key() != "") != (t.text == a.Key()) {
		p.fail("a change answers a key")
	}
	p.spring(t)
	t.written()
	if arms {
		t.arm(disables)
	}
}

// spend presents a honeytoken, or one that is deleted.
func (p *planter) spend(name string) {
	p.m.T.Helper()
	text, t := "", p.traps[name]
	switch {
	case t != nil:
		text = t.text
	case len(p.gone) > 0:
		text = p.gone[p.rand.IntN(len(p.gone))]
	default:
		return
	}
	if p.unsettled() && (t == nil || len(t.tripped) == 0) {
		p.pass() // of two honeytokens either may come first
	}
	doors := sorted(presentations)
	door := doors[p.rand.IntN(len(doors))]
	if said := presentations[door](p.m, text); said != "" {
		p.fail("%s says of a honeytoken %s", door, said)
	}
	p.told = append(p.told, "use "+name+" by "+door)
	if t != nil {
		t.use()
		p.alerts[name] = t.alert
	}
}

func (p *planter) uproot(name string) {
	p.m.T.Helper()
	p.want(204, "delete "+name, p.m.Do(logical.DeleteOperation, "honeytokens/"+name, nil))
	if t := p.traps[name]; t != nil {
		p.spring(t)
		t.written()
		p.gone = append(p.gone, t.text)
		delete(p.traps, name)
	}
}

func (p *planter) acknowledge(name string) {
	p.m.T.Helper()
	if p.unsettled() {
		p.pass()
	}
	p.want(204, "delete the alert of "+name, p.m.Do(logical.DeleteOperation, "alerts/honeytoken_used."+name, nil))
	delete(p.alerts, name)
	if t := p.traps[name]; t != nil {
		t.alert = nil
	}
}

// change does something to a key.
func (p *planter) change() {
	p.m.T.Helper()
	if p.unsettled() {
		p.pass()
	}
	ids := sorted(p.keys)
	k := p.keys[ids[p.rand.IntN(len(ids))]]
	switch n := p.rand.IntN(12); {
	case k.absent || k.ended:
		p.issue()
	case n < 7:
		p.want(200, "enable "+k.id, p.m.Write("keys/"+k.id, map[string]any{"disabled": false}))
		k.disabled, k.reason = false, ""
	case n < 9:
		p.want(200, "disable "+k.id, p.m.Write("keys/"+k.id, map[string]any{"disabled": true, "disabled_reason": "an operator's"}))
		k.disabled, k.reason = true, "an operator's"
	case n < 10:
		p.want(200, "revoke "+k.id, p.m.Write("revoke/"+k.id, nil))
		k.ended = true
	case n < 11:
		p.want(204, "delete "+k.id, p.m.Do(logical.DeleteOperation, "keys/"+k.id, nil))
		k.absent = true
	default:
		p.issue()
	}
}

// kill is the end of the process without a word: what came in the last second may be
// lost, and nothing else.
func (p *planter) kill() {
	p.m.T.Helper()
	synctest.Wait()
	p.m = mount.On(p.m.T, p.m.Storage.Clone())
	synctest.Wait()
	for name, t := range p.traps {
		hits, _ := p.m.Read("honeytokens/" + name).Data["hits"].(float64)
		if int(hits) < t.sure || int(hits) > t.hits {
			p.fail("after a crash %s has %v hits of %d, %d of them written", name, hits, t.hits, t.sure)
		}
		t.crash(int(hits))
	}
	for name, o := range p.alerts {
		count, _ := p.m.Read("alerts/honeytoken_used." + name).Data["count"].(float64)
		if int(count) < o.sure || int(count) > o.count {
			p.fail("after a crash the alert of %s counts %v of %d, %d of them written", name, count, o.count, o.sure)
		}
		if o.count = int(count); o.count == 0 {
			delete(p.alerts, name)
			if t := p.traps[name]; t != nil {
				t.alert = nil
			}
		}
	}
	p.told = append(p.told, "killed")
	p.pass()
}
