package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

var alertRows = rows[record.Alert]{
	says("kind", word, "honeytoken_used, ended_key_used, forged_keys or key_refusals.", func(a *record.Alert) any { return string(a.Kind) }),
	says("severity", word, "warning or critical.", func(a *record.Alert) any { return string(a.Severity) }),
	says("key_id", text, "The key that it is about; of a honeytoken the id in its text, which names no key.", func(a *record.Alert) any { return a.KeyID }),
	says("honeytoken", text, "The honeytoken that it is about.", func(a *record.Alert) any { return a.Honeytoken }),
	says("count", count, "How often it was seen since the alert was opened.", func(a *record.Alert) any { return a.Count }),
	says("first_at", word, "When it was seen first.", func(a *record.Alert) any { return shown(a.First) }),
	says("last_at", word, "When it was seen last.", func(a *record.Alert) any { return shown(a.Last) }),
	says("last_client_ip", text, "Address that the gateway named when it was last seen with one.", func(a *record.Alert) any { return shown(a.ClientIP) }),
	says("actions", objects, "What a honeytoken disabled: key_id, and as result disabled, already_disabled, ended, not_found or unreadable.", func(a *record.Alert) any {
		done := make([]map[string]any, len(a.Actions))
		for i, action := range a.Actions {
			done[i] = map[string]any{"key_id": action.KeyID, "result": action.Result}
		}
		return done
	}),
}

// AlertKeeper keeps the alerts that are open.
type AlertKeeper interface {
	Alerts(ctx context.Context) ([]string, error)
	Alert(ctx context.Context, name string) (record.Alert, bool, error)
	Acknowledge(ctx context.Context, name string) error
}

// Alerts are what an operator should look at.
type Alerts struct{ Alerts AlertKeeper }

func (as Alerts) routes() []route {
	return []route{
		{"alerts/$", "List the open alerts.", "The names of all open alerts, in byte order. Needs sudo.", nil, operations{
			logical.ListOperation: {summary: "List the open alerts.", answers: names, handler: as.list},
		}},
		{"alerts/(?P<alert>[^/]+)", "Something that an operator should look at.",
			"There is one alert of a kind and a key or honeytoken, which counts up until it is deleted. Needs sudo.", fields{"alert": {kind: word, help: "Name of the alert, as lists show it."}}, operations{
				logical.ReadOperation:   {summary: "Read an alert.", answers: alertRows.fields(), handler: as.read},
				logical.DeleteOperation: {summary: "Acknowledge an alert: it is gone until it is raised anew.", handler: as.delete, writes: true},
			}},
	}
}

func (as Alerts) list(ctx context.Context, _ request) (*logical.Response, error) {
	return listed(as.Alerts.Alerts(ctx))
}

func (as Alerts) read(ctx context.Context, r request) (*logical.Response, error) {
	return alertRows.found(as.Alerts.Alert(ctx, r.in.word("alert")))
}

func (as Alerts) delete(ctx context.Context, r request) (*logical.Response, error) {
	return nil, as.Alerts.Acknowledge(ctx, r.in.word("alert"))
}
