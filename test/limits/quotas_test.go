package limits

import (
	"sync/atomic"
	"testing"

	"vault-plugin-secrets-apikeys/test/surface"
)

// validOf counts how many of so many verifications at once are valid, by turns with these texts. Any code but those of
// the limits is a mistake.
func (e engine) validOf(t *testing.T, times int, texts ...string) int {
	t.Helper()
	var valid atomic.Int64
	together(times, func(i int) {
		switch d := e.Verify(t, texts[i%len(texts)]); d["code"] {
		case "valid":
			valid.Add(1)
		case "quota_exceeded", "rate_limited":
		default:
			t.Errorf("verify answers %v", d["code"])
		}
	})
	return int(valid.Load())
}

func TestExactlyAsManyAsTheQuotaAreValidAtOnce(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	for what, limits := range map[string]fields{
		"a quota": {"quota": 100},
		"a rate":  {"rate_limit": 100, "rate_limit_period": "87600h"},
		"both":    {"quota": 100, "rate_limit": 130, "rate_limit_period": "87600h"},
	} {
		k := e.issue(t, limits)
		if valid := e.validOf(t, 200, k.Text); valid != 100 {
			t.Errorf("%s of 100 lets %d of 200 through", what, valid)
		}
	}
}

func TestOldAndNewVersionSpendFromOneQuotaAndOneBucket(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	for what, limits := range map[string]fields{
		"a quota": {"quota": 100},
		"a rate":  {"rate_limit": 100, "rate_limit_period": "87600h"},
	} {
		k := e.issue(t, limits)
		var valid atomic.Int64
		var texts atomic.Pointer[[]string]
		texts.Store(&[]string{k.Text})
		together(200, func(i int) {
			if i == 40 {
				texts.Store(&[]string{k.Text, e.rotate(t, k, nil).Text})
			}
			now := *texts.Load()
			if e.Verify(t, now[i%len(now)])["valid"] == true {
				valid.Add(1)
			}
		})
		if valid.Load() != 100 {
			t.Errorf("%s of 100 lets %d of 200 through over a rotation", what, valid.Load())
		}
	}
}

// TestATreeSpendsItsRootsQuotaAndNotOneMore has three generations verify at once.
func TestATreeSpendsItsRootsQuotaAndNotOneMore(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.setRole(t, fields{"max_delegation_depth": 2})
	root := e.issue(t, fields{"quota": 90})
	texts := []string{root.Text}
	type branch struct {
		key
		quota int
	}
	var branches []branch
	for _, quota := range []int{90, 40, 5} {
		child := e.delegate(t, root, fields{"quota": quota})
		below := e.delegate(t, child, nil)
		texts = append(texts, child.Text, below.Text)
		branches = append(branches, branch{child, quota})
	}
	if valid := e.validOf(t, 350, texts...); valid != 90 {
		t.Errorf("a tree with a quota of 90 is valid %d times", valid)
	}
	surface.WantFields(t, "the root", e.Read(t, "keys/"+root.ID), fields{"quota_remaining": 0})
	for _, b := range branches {
		left := surface.Number(t, e.Read(t, "keys/"+b.ID), "quota_remaining")
		if left < 0 || left > b.quota {
			t.Errorf("a child with a quota of %d has %d left", b.quota, left)
		}
	}
}

func TestAChildsQuotaHoldsAllThatIsBelowIt(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.setRole(t, fields{"max_delegation_depth": 2})
	root := e.issue(t, fields{"quota": 50})
	child := e.delegate(t, root, fields{"quota": 20})
	below := []key{e.delegate(t, child, nil), e.delegate(t, child, fields{"quota": 20})}
	if valid := e.validOf(t, 100, child.Text, below[0].Text, below[1].Text); valid != 20 {
		t.Errorf("below a quota of 20, %d are valid", valid)
	}
	surface.WantFields(t, "the root", e.Read(t, "keys/"+root.ID), fields{"quota_remaining": 30})
	if valid := e.validOf(t, 50, root.Text); valid != 30 {
		t.Errorf("the root has %d left, wanted 30", valid)
	}
}
