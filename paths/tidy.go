package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/upkeep"
)

var tidyRows = rows[upkeep.TidyStatus]{
	says("state", word, "never, running, done, failed or cancelled.", func(s *upkeep.TidyStatus) any { return string(s.State) }),
	at("started_at", text, "When the last run began.", func(s *upkeep.TidyStatus) *record.Time { return &s.StartedAt }),
	at("finished_at", text, "When it ended.", func(s *upkeep.TidyStatus) *record.Time { return &s.FinishedAt }),
	at("keys_removed", count, "Records of ended keys that it removed.", func(s *upkeep.TidyStatus) *int { return &s.KeysRemoved }),
	at("entries_repaired", count, "Index entries that it wrote or removed.", func(s *upkeep.TidyStatus) *int { return &s.EntriesRepaired }),
	at("error", text, "Why it failed.", func(s *upkeep.TidyStatus) *string { return &s.Error }),
}

// Tidier removes what has ended, in the background.
type Tidier interface {
	Start() upkeep.TidyStatus
	Status() upkeep.TidyStatus
}

// Tidy starts a tidy, and tells what the last one did.
type Tidy struct{ Tidier Tidier }

func (t Tidy) routes() []route {
	return []route{
		{"tidy", "Remove what has ended.",
			"Removes keys that ended longer ago than revoked_retention and mends the indexes, in the background, one run at a time. It also runs by itself, once an hour.", nil, operations{
				logical.UpdateOperation: {summary: "Start a tidy.", answers: tidyRows.fields(), handler: t.start, writes: true},
			}},
		{"tidy-status", "What the last tidy did.", "State and counts of the present or last run since the plugin started.", nil, operations{
			logical.ReadOperation: {summary: "Read what the last tidy did.", answers: tidyRows.fields(), handler: t.read},
		}},
	}
}

func (t Tidy) start(context.Context, request) (*logical.Response, error) {
	return tidyRows.answer(t.Tidier.Start(), nil)
}

func (t Tidy) read(context.Context, request) (*logical.Response, error) {
	return tidyRows.answer(t.Tidier.Status(), nil)
}
