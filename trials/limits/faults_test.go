package limits

import (
	"context"
	"testing"
	"testing/synctest"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
	"vault-plugin-secrets-apikeys/trials/world"
)

// spending are ways to spend from the quotas of a family, and to end or begin a
// process that does.
var spending = []struct {
	name, by string
	run      func(m *mount.Mount, text string) (valid int)
}{
	{"a first block", "parent", oneVerify},
	{"a block after the last", "spent", oneVerify},
	{"through a child", "child", oneVerify},
	{"through a child, after the last", "spender", oneVerify},
	{"a batch of three", "child", func(m *mount.Mount, text string) (valid int) {
		one := map[string]any{"key": text}
		a := m.Write("verify", map[string]any{"batch_input": []any{one, one, one}})
		results, _ := a.Data["batch_results"].([]any)
		for _, r := range results {
			if r.(map[string]any)["code"] == "valid" {
				valid++
			}
		}
		return valid
	}},
	{"authorize", "child", func(m *mount.Mount, text string) int {
		if a := m.Write("authorize", map[string]any{"key": text}); a.Status == 200 {
			return 1
		}
		return 0
	}},
	{"a gate's block, of which the rest goes back", "parent", oneOfABlock},
	{"a gate's block after the last", "spent", oneOfABlock},
	{"an orderly end and a new process", "child", func(m *mount.Mount, text string) int {
		n := oneVerify(m, text)
		m.Restart()
		return n + oneVerify(m, text)
	}},
}

func oneVerify(m *mount.Mount, text string) int {
	if m.Write("verify", map[string]any{"key": text}).Str("code") == "valid" {
		return 1
	}
	return 0
}

// oneOfABlock is what a gate does that spends one unit of what it is granted.
func oneOfABlock(m *mount.Mount, text string) int {
	key, err := apikey.Parse(apikey.Present(text))
	if err != nil {
		m.T.Fatal(err)
	}
	ask := func(want map[string]any) (granted int, window any) {
		want["key_id"] = key.ID
		a := m.Write("gate/reserve/limited", map[string]any{"gate": "edge-1", "run": "r1", "want": []any{want}})
		grants, _ := a.Data["grants"].([]any)
		if len(grants) == 0 {
			return 0, nil
		}
		g := grants[0].(map[string]any)
		units, _ := g["granted"].(float64)
		return int(units), g["window"]
	}
	granted, window := ask(map[string]any{"need": 1, "units": 2})
	if granted > 1 {
		ask(map[string]any{"give_back": granted - 1, "window": window})
	}
	return min(granted, 1)
}

// FamilyQuota is that of the parents in the world of limits: blocks are of two at
// most. spentBefore is what one of them has spent.
const FamilyQuota, largestBlock, spentBefore = 64, 2, 10

// TestNoFaultOverspendsAQuota breaks each call while a quota is spent, spends the
// rest, and counts: never more answers than the quota, never more than storage
// knows to be reserved, and at most a block lost, with what was asked in vain.
func TestNoFaultOverspendsAQuota(t *testing.T) {
	w := world.BuildLimited(t)
	for _, s := range spending {
		root, before := "parent", 0
		if s.by == "spent" || s.by == "spender" {
			root, before = "spent", spentBefore
		}
		try := func(t *testing.T, f *memory.Fault) {
			m := w.Open(t)
			m.Ctx, f.Cancel = context.WithCancel(context.Background())
			m.Storage.Intercept(f.Around)
			valid := before + s.run(m, w.Texts[s.by])
			m.Storage.Intercept(nil)
			f.Cancel()
			m.Ctx = context.Background()
			if reserved := m.Reserved(w.IDs[root]); reserved < valid {
				t.Errorf("%s, %v: %d valid answers, %d reserved", s.name, f, valid, reserved)
			}
			for m.Code(w.Texts[s.by]) == "valid" {
				if valid++; valid > FamilyQuota {
					break
				}
			}
			lost := FamilyQuota - valid
			// What a request took that was then answered with an error is spent:
			// one, three of a batch, or those of two processes.
			if lost < 0 || lost > largestBlock+3 || f.Kind == memory.None && lost != 0 {
				t.Errorf("%s, %v: %d valid answers of %d", s.name, f, valid, FamilyQuota)
			}
			if reserved := m.Reserved(w.IDs[root]); reserved > FamilyQuota {
				t.Errorf("%s, %v: %d are reserved", s.name, f, reserved)
			}
		}
		var calls []memory.Call
		synctest.Test(t, func(t *testing.T) {
			f := &memory.Fault{Kind: memory.None}
			try(t, f)
			calls = f.Made()
		})
		for at, c := range calls {
			for _, kind := range []memory.Kind{memory.Once, memory.Outage, memory.Canceled, memory.Panicked} {
				for _, effect := range []bool{false, true} {
					if !effect || c.Changes() {
						synctest.Test(t, func(t *testing.T) { try(t, &memory.Fault{At: at, Kind: kind, Effect: effect}) })
					}
				}
			}
		}
	}
}
