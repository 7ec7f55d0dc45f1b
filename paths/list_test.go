package paths

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/clock"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
)

// idOf is an id that lies in this shard.
func idOf(shard string) string { return shard + strings.Repeat("0", 14) }

// plant makes keys of owner acme without hashing anything.
func (sv *services) plant(t testing.TB, ids ...string) {
	t.Helper()
	now := record.At(time.Now())
	for _, id := range ids {
		err := sv.Store.CreateKey(t.Context(), record.Key{
			ID: id, Role: "web", RoleUID: "u1", Owner: "acme", CreatedAt: now,
			Versions: []record.Version{{Number: 1, CreatedAt: now, ExpiresAt: now + 1000, Until: now + 1000}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAPageOfKeys(t *testing.T) {
	t.Parallel()
	ids := []string{idOf("00"), idOf("0A"), idOf("AA"), idOf("aa"), idOf("zz")}
	sv := newServices(t, systemView(time.Hour, time.Hour))
	sv.plant(t, ids...)
	sv.plant(t, idOf("bb"))
	if _, err := sv.Store.DeleteKey(t.Context(), idOf("bb"), func(*record.Key) bool { return false }); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		data map[string]any
		want []string
		more bool
	}{
		"all":                               {nil, ids, false},
		"the first":                         {map[string]any{"limit": "2"}, ids[:2], true},
		"exactly all":                       {map[string]any{"limit": 5}, ids, false},
		"all but the last":                  {map[string]any{"limit": 4.0}, ids[:4], true},
		"those after one":                   {map[string]any{"after": ids[1]}, ids[2:], false},
		"those after one, but few":          {map[string]any{"after": ids[1], "limit": "1"}, ids[2:3], true},
		"those after one that is not there": {map[string]any{"after": idOf("0B")}, ids[2:], false},
		"those after the beginning of one":  {map[string]any{"after": "a"}, ids[3:], false},
		"those after nothing":               {map[string]any{"after": ""}, ids, false},
		"none after the last":               {map[string]any{"after": ids[4]}, nil, false},
	} {
		for _, path := range []string{"keys/", "keys", "owners/acme/keys/"} {
			t.Run(name+" of "+path, func(t *testing.T) {
				t.Parallel()
				resp := sv.must(t, logical.ListOperation, path, tc.data)
				got, _ := resp.Data["keys"].([]string)
				if !slices.Equal(got, tc.want) {
					t.Errorf("it answers %q", got)
				}
				if more := len(resp.Warnings) == 1 && strings.HasSuffix(resp.Warnings[0], "after="+got[len(got)-1]); more != tc.more || len(resp.Warnings) > 1 {
					t.Errorf("it warns %q", resp.Warnings)
				}
				info, _ := resp.Data["key_info"].(map[string]any)
				if len(info) != len(tc.want) {
					t.Errorf("it tells of %d keys", len(info))
				}
				for _, line := range info {
					if l := line.(map[string]any); l["owner"] != "acme" || l["role"] != "web" || l["status"] != "active" {
						t.Errorf("it tells %v", l)
					}
				}
			})
		}
	}
}

func TestWhatIsNoPage(t *testing.T) {
	t.Parallel()
	sv := newServices(t, systemView(time.Hour, time.Hour))
	for name, data := range map[string]map[string]any{
		"a limit of none":         {"limit": "0"},
		"a limit beyond the most": {"limit": "1001"},
		"a limit below none":      {"limit": "-1"},
		"a limit that is none":    {"limit": canary},
		"an empty limit":          {"limit": ""},
		"an id with a slash":      {"after": "../" + canary},
		"an id that is too long":  {"after": strings.Repeat("a", 17)},
		"an unknown parameter":    {"owner": canary},
	} {
		resp, err := sv.ask(t, logical.ListOperation, "keys/", data, nil)
		if err != nil || !resp.IsError() || strings.Contains(resp.Error().Error(), "CANARY") {
			t.Errorf("%s answers %v, %v", name, resp, err)
		}
	}
}

func TestAnOwnersListShowsNoOtherOwner(t *testing.T) {
	t.Parallel()
	sv := newServices(t, systemView(time.Hour, time.Hour))
	sv.plant(t, idOf("aa"))
	for _, path := range []string{"owners/acm/keys/", "owners/Acme/keys/", "owners/../keys/", "owners/acme..x/keys/", "owners/%/keys/"} {
		resp, err := sv.ask(t, logical.ListOperation, path, nil, nil)
		if err != nil || resp != nil && len(resp.Data) != 0 {
			t.Errorf("%s answers %v, %v", path, resp, err)
		}
	}
	if got := sv.must(t, logical.ListOperation, "owners/", nil).Data["keys"]; !slices.Equal(got.([]string), []string{"acme"}) {
		t.Errorf("owners are %q", got)
	}
	if got := sv.must(t, logical.ListOperation, "roles", nil).Data["keys"]; !slices.Equal(got.([]string), []string{"web"}) {
		t.Errorf("roles are %q", got)
	}
}

func TestAPageEndsWhereTheWalkDoes(t *testing.T) {
	t.Parallel()
	sv := newServices(t, systemView(time.Hour, time.Hour))
	sv.plant(t, idOf("aa"), idOf("ab"), idOf("ac"), idOf("ad"))
	visited := 0
	each := func(ctx context.Context, after string, visit func(string) (bool, error)) error {
		return sv.Store.EachKey(ctx, after, func(id string) (bool, error) { visited++; return visit(id) })
	}
	if _, err := sv.lists.page(t.Context(), input{"limit": int64(2)}, listing{afterID, each, sv.Store.PeekKey, lineRows}); err != nil || visited != 3 {
		t.Errorf("for a page of two it visited %d, %v", visited, err)
	}
}

// witnessed are keys whose idle end came right after somebody looked.
type witnessed struct{ at record.Time }

func (w witnessed) Lineage(_ context.Context, k record.Key) (lineage.Lineage, error) {
	s := record.Alone(&k)
	s.IdleEnd = w.at + 1
	return lineage.Lineage{Key: k, Standing: s, At: w.at}, nil
}

func (witnessed) Uses(context.Context, string) (record.Uses, error) { return record.Uses{}, nil }

func TestNoEndIsShownThatIsNotNoted(t *testing.T) {
	t.Parallel()
	sv := newServices(t, systemView(time.Hour, time.Hour))
	id := idOf("aa")
	sv.plant(t, id)
	past := witnessed{record.At(time.Now()) - 2}
	line, err := Lists{Keys: sv.Store, Lineages: past}.line(t.Context(), id, listing{find: sv.Store.PeekKey, rows: lineRows})
	if err != nil || line["status"] != "active" {
		t.Errorf("a list shows %v, %v", line, err)
	}
	k, _, err := sv.Store.Key(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	v, err := KeyAnswers{Lineages: past, Uses: past, Clock: clock.New(func(clock.Change) {})}.view(t.Context(), k)
	if err != nil || v.full()["status"] != "active" {
		t.Errorf("a read shows %v, %v", v.full()["status"], err)
	}
}
