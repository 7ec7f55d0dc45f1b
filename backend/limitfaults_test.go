package backend_test

import (
	"context"
	"testing"
	"testing/synctest"

	"vault-plugin-secrets-apikeys/backend/store"
)

// spending are ways to spend from the quotas of a family, and to end or begin a
// process that does.
var spending = []struct {
	name, by string
	run      func(m *mount, text string) (valid int)
}{
	{"a first block", "parent", oneVerify},
	{"a block after the last", "spent", oneVerify},
	{"through a child", "child", oneVerify},
	{"through a child, after the last", "spender", oneVerify},
	{"a batch of three", "child", func(m *mount, text string) (valid int) {
		one := map[string]any{"key": text}
		a := m.write("verify", map[string]any{"batch_input": []any{one, one, one}})
		results, _ := a.data["batch_results"].([]any)
		for _, r := range results {
			if r.(map[string]any)["code"] == "valid" {
				valid++
			}
		}
		return valid
	}},
	{"authorize", "child", func(m *mount, text string) int {
		if a := m.write("authorize", map[string]any{"key": text}); a.status == 200 {
			return 1
		}
		return 0
	}},
	{"an orderly end and a new process", "child", func(m *mount, text string) int {
		n := oneVerify(m, text)
		m.restart()
		return n + oneVerify(m, text)
	}},
}

func oneVerify(m *mount, text string) int {
	if m.write("verify", map[string]any{"key": text}).str("code") == "valid" {
		return 1
	}
	return 0
}

// familyQuota is that of the parents in the world of limits: blocks are of two at
// most. spentBefore is what one of them has spent.
const familyQuota, largestBlock, spentBefore = 64, 2, 10

// TestNoFaultOverspendsAQuota breaks each call while a quota is spent, spends the
// rest, and counts: never more answers than the quota, never more than storage
// knows to be reserved, and at most a block lost, with what was asked in vain.
func TestNoFaultOverspendsAQuota(t *testing.T) {
	w := buildLimitedWorld(t)
	for _, s := range spending {
		root, before := "parent", 0
		if s.by == "spent" || s.by == "spender" {
			root, before = "spent", spentBefore
		}
		try := func(t *testing.T, f *fault) {
			m := w.open(t)
			m.ctx, f.cancel = context.WithCancel(context.Background())
			m.storage.intercept(f.around)
			valid := before + s.run(m, w.texts[s.by])
			m.storage.intercept(nil)
			f.cancel()
			m.ctx = context.Background()
			if reserved := m.reserved(w.ids[root]); reserved < valid {
				t.Errorf("%s, %v: %d valid answers, %d reserved", s.name, f, valid, reserved)
			}
			for m.code(w.texts[s.by]) == "valid" {
				if valid++; valid > familyQuota {
					break
				}
			}
			lost := familyQuota - valid
			// What a request took that was then answered with an error is spent:
			// one, three of a batch, or those of two processes.
			if lost < 0 || lost > largestBlock+3 || f.kind == none && lost != 0 {
				t.Errorf("%s, %v: %d valid answers of %d", s.name, f, valid, familyQuota)
			}
			if reserved := m.reserved(w.ids[root]); reserved > familyQuota {
				t.Errorf("%s, %v: %d are reserved", s.name, f, reserved)
			}
		}
		var calls []call
		synctest.Test(t, func(t *testing.T) {
			f := &fault{kind: none}
			try(t, f)
			calls = f.made()
		})
		for at, c := range calls {
			for _, kind := range []kind{once, outage, canceled, panicked} {
				for _, effect := range []bool{false, true} {
					if !effect || changes(c) {
						synctest.Test(t, func(t *testing.T) { try(t, &fault{at: at, kind: kind, effect: effect}) })
					}
				}
			}
		}
	}
}

// reserved is what storage says of a key's quota.
func (m *mount) reserved(id string) int {
	q, _, err := store.New(m.storage).Quota(context.Background(), id)
	if err != nil {
		m.t.Fatal(err)
	}
	return int(q.Total)
}
