package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
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

func (sv *Services) tidyPath() *framework.Path {
	return sv.path("tidy", "Remove what has ended.",
		"Removes keys that ended longer ago than revoked_retention and mends the indexes, in the background, one run at a time. It also runs by itself, once an hour.", nil,
		map[logical.Operation]operation{
			logical.UpdateOperation: {summary: "Start a tidy.", answers: tidyRows.fields(), handler: sv.startTidy, writes: true},
		})
}

func (sv *Services) tidyStatusPath() *framework.Path {
	return sv.path("tidy-status", "What the last tidy did.", "State and counts of the present or last run since the plugin started.", nil,
		map[logical.Operation]operation{
			logical.ReadOperation: {summary: "Read what the last tidy did.", answers: tidyRows.fields(), handler: sv.readTidy},
		})
}

func (sv *Services) startTidy(context.Context, request) (*logical.Response, error) {
	sv.Tidier.Start()
	return sv.readTidy(context.Background(), request{})
}

func (sv *Services) readTidy(context.Context, request) (*logical.Response, error) {
	s := sv.Tidier.Status()
	return answer(tidyRows.show(&s)), nil
}
