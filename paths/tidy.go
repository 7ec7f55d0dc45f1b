package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
)

var tidyRows = rows[lifecycle.TidyStatus]{
	says("state", word, "never, running, done, failed or cancelled.", func(s *lifecycle.TidyStatus) any { return string(s.State) }),
	at("started_at", text, "When the last run began.", func(s *lifecycle.TidyStatus) *record.Time { return &s.StartedAt }),
	at("finished_at", text, "When it ended.", func(s *lifecycle.TidyStatus) *record.Time { return &s.FinishedAt }),
	at("keys_removed", count, "Records of ended keys that it removed.", func(s *lifecycle.TidyStatus) *int { return &s.KeysRemoved }),
	at("entries_repaired", count, "Index entries that it wrote or removed.", func(s *lifecycle.TidyStatus) *int { return &s.EntriesRepaired }),
	at("error", text, "Why it failed.", func(s *lifecycle.TidyStatus) *string { return &s.Error }),
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
