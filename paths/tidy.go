package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

var tidyAnswer = fields{
	"state":            {kind: word, help: "never, running, done, failed or cancelled."},
	"started_at":       {kind: text, help: "When the last run began."},
	"finished_at":      {kind: text, help: "When it ended."},
	"keys_removed":     {kind: count, help: "Records of ended keys that it removed."},
	"entries_repaired": {kind: count, help: "Index entries that it wrote or removed."},
	"error":            {kind: text, help: "Why it failed."},
}

func (sv *Services) tidyPath() *framework.Path {
	return sv.path("tidy", "Remove what has ended.",
		"Removes keys that ended longer ago than revoked_retention and mends the indexes, in the background, one run at a time. It also runs by itself, once an hour.", nil,
		map[logical.Operation]operation{
			logical.UpdateOperation: {summary: "Start a tidy.", answers: tidyAnswer, handler: sv.startTidy, writes: true},
		})
}

func (sv *Services) tidyStatusPath() *framework.Path {
	return sv.path("tidy-status", "What the last tidy did.", "State and counts of the present or last run since the plugin started.", nil,
		map[logical.Operation]operation{
			logical.ReadOperation: {summary: "Read what the last tidy did.", answers: tidyAnswer, handler: sv.readTidy},
		})
}

func (sv *Services) startTidy(context.Context, request) (*logical.Response, error) {
	sv.Tidier.Start()
	return sv.readTidy(context.Background(), request{})
}

func (sv *Services) readTidy(context.Context, request) (*logical.Response, error) {
	s := sv.Tidier.Status()
	return answer(map[string]any{
		"state":            string(s.State),
		"started_at":       s.StartedAt.String(),
		"finished_at":      s.FinishedAt.String(),
		"keys_removed":     s.KeysRemoved,
		"entries_repaired": s.EntriesRepaired,
		"error":            s.Error,
	}), nil
}
