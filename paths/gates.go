package paths

import (
	"context"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/feed"
)

var gateAnswerRows = rows[feed.Gate]{
	says("since", word, "From when on this process has heard gates: one that polled before is not known.", func(g *feed.Gate) any { return shown(g.Since) }),
	says("runs", object, "By run, that is by process: last_polled_at, acknowledged (the cursor that it polled with), current (whether it has heard of all that ends or narrows anything), max_staleness and stale_grace.", func(g *feed.Gate) any {
		runs := make(map[string]any, len(g.Runs))
		for name, r := range g.Runs {
			runs[name] = map[string]any{
				"last_polled_at": shown(r.LastPolledAt), "acknowledged": r.Acknowledged, "current": r.Current,
				"max_staleness": roundedUp(r.MaxStaleness), "stale_grace": roundedUp(r.StaleGrace),
			}
		}
		return runs
	}),
}

// roundedUp is a duration in whole seconds, and no shorter: after that a gate is closed.
func roundedUp(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// GateList knows which gates polled.
type GateList interface {
	Gates() ([]string, error)
	Gate(name string) (feed.Gate, bool, error)
}

// Gates are those that polled within ten minutes.
type Gates struct{ List GateList }

func (gs Gates) routes() []route {
	return []route{
		{"gates/?$", "List the gates.", "The names of all gates that asked for changes within the last ten minutes, in byte order.", nil, operations{
			logical.ListOperation: {summary: "List the gates.", answers: names, handler: gs.list},
		}},
		{"gates/(?P<gate>[^/]+)", "What a gate has heard.",
			"After a revocation, look here whether every process of a gate is current, or was silent for longer than its max_staleness and stale_grace together: then it is closed.", fields{"gate": {kind: word, help: "Name of the gate."}}, operations{
				logical.ReadOperation: {summary: "Read what a gate has heard.", answers: gateAnswerRows.fields(), handler: gs.read},
			}},
	}
}

func (gs Gates) list(context.Context, request) (*logical.Response, error) {
	return listed(gs.List.Gates())
}

func (gs Gates) read(_ context.Context, r request) (*logical.Response, error) {
	return gateAnswerRows.found(gs.List.Gate(r.in.word("gate")))
}
