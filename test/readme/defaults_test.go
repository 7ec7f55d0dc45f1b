package readme

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/surface"
)

// shown are, for the sections whose parameters come back in an answer, what comes back where none of them was sent.
var shown = map[string]func(t *testing.T, e surface.Engine) surface.Fields{
	"Config": func(t *testing.T, e surface.Engine) surface.Fields {
		return e.Want(t, 200, "GET", "config", nil).Data()
	},
	"Roles": func(t *testing.T, e surface.Engine) surface.Fields {
		return e.Want(t, 200, "GET", "roles/fresh", nil).Data()
	},
	"Issue": func(t *testing.T, e surface.Engine) surface.Fields {
		return e.Write(t, "issue/fresh", surface.Fields{})
	},
	"Delegate": func(t *testing.T, e surface.Engine) surface.Fields {
		e.Write(t, "roles/parent", surface.Fields{"max_delegation_depth": 1})
		return e.Write(t, "delegate", surface.Fields{"key": e.Issue(t, "parent", "acme").Text})
	},
	"Revoke": func(t *testing.T, e surface.Engine) surface.Fields {
		answer := e.Write(t, "revoke", surface.Fields{"key": e.Issue(t, "fresh", "acme").Text})
		return surface.Fields{"reason": answer["revoke_reason"]}
	},
	"Rotate": func(t *testing.T, e surface.Engine) surface.Fields {
		k := e.Issue(t, "fresh", "acme")
		e.Write(t, "rotate/"+k.ID, surface.Fields{"activation": "first_use"})
		answer := e.Write(t, "rotate/"+k.ID+"/rollback", surface.Fields{})
		return surface.Fields{"reason": answer["versions"].([]any)[0].(map[string]any)["reason"]}
	},
	"Stop": func(t *testing.T, e surface.Engine) surface.Fields {
		return e.Write(t, "stop/roles/fresh", surface.Fields{})
	},
	"Honeytokens": func(t *testing.T, e surface.Engine) surface.Fields {
		return e.Write(t, "honeytokens/fresh", surface.Fields{"role": "fresh"})
	},
}

// asked are, for the sections whose parameters make a question, what comes of it with these parameters.
var asked = map[string]func(t *testing.T, e surface.Engine, k surface.Key, with surface.Fields) any{
	"Verify": func(t *testing.T, e surface.Engine, k surface.Key, with surface.Fields) any {
		with["key"] = k.Text
		before := e.Write(t, "verify", surface.Fields{"key": k.Text, "cost": 0})
		answer := e.Write(t, "verify", with)
		return fmt.Sprint(names(answer), answer["code"], number(before["quota_remaining"])-number(answer["quota_remaining"]))
	},
	"Authorize": func(t *testing.T, e surface.Engine, k surface.Key, with surface.Fields) any {
		with["key"] = k.Text
		before := e.Write(t, "verify", surface.Fields{"key": k.Text, "cost": 0})
		answer := e.Want(t, 200, "POST", "authorize", with).Raw
		after := e.Write(t, "verify", surface.Fields{"key": k.Text, "cost": 0})
		return fmt.Sprint(string(answer), number(before["quota_remaining"])-number(after["quota_remaining"]))
	},
	"Gates": func(t *testing.T, e surface.Engine, _ surface.Key, with surface.Fields) any {
		with["gate"], with["run"] = "edge-1", "r1"
		answer := e.Write(t, "gate/changes", with)
		gate := e.Read(t, "gates/edge-1")["runs"].(surface.Fields)["r1"].(surface.Fields)
		return fmt.Sprint(answer["nonce"], answer["reset"], number(answer["waited"]) < 100, gate["max_staleness"], gate["stale_grace"])
	},
	"Resolve": func(t *testing.T, e surface.Engine, _ surface.Key, with surface.Fields) any {
		answer := e.Write(t, "gate/resolve", with)
		return fmt.Sprint(answer["nonce"], answer["results"], answer["records"], answer["roles"], answer["owners"])
	},
	"Gate quotas and uses": func(t *testing.T, e surface.Engine, k surface.Key, with surface.Fields) any {
		with["gate"], with["run"], with["want"] = "edge-1", "r1", []any{surface.Fields{"key_id": k.ID}}
		return e.Write(t, "gate/reserve/counted", with)["nonce"]
	},
	"Keys": func(t *testing.T, e surface.Engine, k surface.Key, with surface.Fields) any {
		query := "keys?list=true"
		for name, value := range with {
			query += fmt.Sprintf("&%s=%v", name, value)
		}
		return e.Want(t, 200, "GET", query, nil).Data()["keys"]
	},
}

func names(of surface.Fields) (found []string) {
	for name := range of {
		found = append(found, name)
	}
	slices.Sort(found)
	return found
}

func number(value any) int64 {
	n, _ := strconv.ParseInt(fmt.Sprint(value), 10, 64)
	return n
}

// value is a default as the reference tells it, as JSON.
func (d described) value() string {
	if d.kind == "duration" {
		if length, err := time.ParseDuration(d.fallback); err == nil {
			return fmt.Sprint(int64(length / time.Second))
		}
	}
	return d.fallback
}

// TestEveryDefaultToldIsThatOfTheEngine compares each with what comes back, or with what a question without it answers.
// What stands in angle brackets is no value, and an empty text in a question is one that is not sent.
func TestEveryDefaultToldIsThatOfTheEngine(t *testing.T) {
	e := surface.At(t, servers.Server(t), "apikeys")
	e.Write(t, "roles/fresh", surface.Fields{})
	e.Write(t, "roles/counted", surface.Fields{"quota": 1000})
	counted := e.Issue(t, "counted", "acme")
	sections, _ := document(t)
	compared := map[string]int{}
	for _, s := range families(sections) {
		var answer surface.Fields
		if show := shown[s.chapter]; show != nil {
			answer = show(t, e)
		}
		for name, d := range s.parameters() {
			ask := asked[s.chapter]
			switch {
			case strings.HasPrefix(d.fallback, "<"), d.kind == "":
				continue
			case answer != nil:
				if got, _ := json.Marshal(answer[name]); string(got) != d.value() {
					t.Errorf("%s: %s is %s by default, the reference says %s", s.chapter, name, got, d.fallback)
				}
			case ask == nil:
				t.Errorf("%s: nothing compares the default of %s", s.chapter, name)
			case d.fallback != `""`:
				var told any
				if err := json.Unmarshal([]byte(d.value()), &told); err != nil {
					t.Fatalf("%s: %s: %v", s.chapter, name, err)
				}
				without := ask(t, e, counted, surface.Fields{})
				if with := ask(t, e, counted, surface.Fields{name: told}); !reflect.DeepEqual(with, without) {
					t.Errorf("%s: with %s %s the answer is %v, without %v", s.chapter, name, d.fallback, with, without)
				}
			}
			compared[s.chapter]++
		}
	}
	for _, title := range []string{"Config", "Roles", "Issue", "Delegate", "Rotate", "Revoke", "Stop", "Verify", "Authorize", "Keys", "Gates", "Resolve"} {
		if compared[title] == 0 {
			t.Errorf("no default of the section %s was compared", title)
		}
	}
}
