package paths

import (
	"context"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/spend"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/wire"
)

var wantRows = rows[wire.Want]{
	at("key_id", word, "", func(w *wire.Want) *string { return &w.KeyID }),
	at("need", count, "", func(w *wire.Want) *int64 { return &w.Need }),
	at("units", count, "", func(w *wire.Want) *int64 { return &w.Units }),
	at("give_back", count, "", func(w *wire.Want) *int64 { return &w.GiveBack }),
	at("window", count, "", func(w *wire.Want) *int64 { return &w.Window }),
}

var reserveRows = append(gateRows(func(r *wire.Reserve) *string { return &r.Gate }, func(r *wire.Reserve) *string { return &r.Run }), rows[wire.Reserve]{
	nonce(func(r *wire.Reserve) *string { return &r.Nonce }),
	{name: "want", field: field{kind: objects, help: "1 to 1000 objects with key_id, need (units that somebody waits for: as many or none), units (up to how many are wanted ahead), and of a block that was granted before: give_back (units that were not spent) and window (that of its grant). Without need and units only what remains is told."}, set: func(in input, r *wire.Reserve) (err error) {
		r.Want, err = items(in, "want", wantRows)
		return err
	}},
}...)

var reserveAnswer = fields{
	"nonce":  pollAnswer["nonce"],
	"grants": {kind: objects, help: "For each, in order: granted, window (which names the block), window_ends (seconds since 1970), remaining; or code, or error and http_status."},
	"now":    {kind: count, help: "The engine's clock, in milliseconds since 1970."},
}

var useRows = rows[wire.Use]{
	at("key_id", word, "", func(u *wire.Use) *string { return &u.KeyID }),
	small("version", "", func(u *wire.Use) *int { return &u.Version }),
	at("code", word, "", func(u *wire.Use) *string { return &u.Code }),
	at("count", count, "", func(u *wire.Use) *int64 { return &u.Count }),
	{name: "at", field: field{kind: count}, set: func(in input, u *wire.Use) error {
		u.At = record.Time(get[int64](in, "at"))
		return nil
	}},
	at("client_ip", word, "", func(u *wire.Use) *string { return &u.ClientIP }),
	at("paid", flag, "", func(u *wire.Use) *bool { return &u.Paid }),
	at("brownout", flag, "", func(u *wire.Use) *bool { return &u.Brownout }),
}

var reportRows = append(gateRows(func(r *wire.Report) *string { return &r.Gate }, func(r *wire.Report) *string { return &r.Run }), rows[wire.Report]{
	{name: "sequence", field: field{kind: count, help: "Of the run's reports, from 1 on. One that was told before is counted once."}, set: func(in input, r *wire.Report) (err error) {
		r.Sequence, err = in.number("sequence", 1, maxSequence)
		return err
	}},
	{name: "uses", field: field{kind: objects, help: "1 to 1000 objects with key_id, version and code, of which there were count, the last at (seconds since 1970) from client_ip; paid, where one of them had a cost; brownout, where they were refused in one. Texts that are no key have the code invalid and neither key_id nor version."}, set: func(in input, r *wire.Report) (err error) {
		r.Uses, err = items(in, "uses", useRows)
		return err
	}},
}...)

// maxSequence is the largest whole number that JSON carries exactly.
const maxSequence = 1 << 53

var reportAnswer = fields{
	"counted":  {kind: count, help: "How many decisions were counted."},
	"dropped":  {kind: count, help: "How many uses were not: they name no version of a key of this role, or no code."},
	"repeated": {kind: flag, help: "Whether the report was told before, and nothing was done."},
	"now":      {kind: count, help: "The engine's clock, in milliseconds since 1970."},
}

// items are the objects of a list, which holds some.
func items[T any](in input, name string, of rows[T]) ([]T, error) {
	sent, err := required[[]any](in, name)
	if err != nil {
		return nil, err
	}
	if len(sent) < 1 || len(sent) > wire.MaxNames {
		return nil, record.Mistakef("%s must have 1 to %d items", name, wire.MaxNames)
	}
	all, takes := make([]T, len(sent)), of.fields()
	for i, item := range sent {
		data, ok := item.(map[string]any)
		if !ok {
			return nil, record.Mistakef("%s must be a list of objects", name)
		}
		decoded, err := takes.decode(data, nil)
		if err != nil {
			return nil, err
		}
		if err := of.take(decoded, &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Spending keeps the limits and uses of keys that gates decide about.
type Spending interface {
	Reserve(ctx context.Context, role string, want []wire.Want) (granted []spend.Granted, now int64, err error)
	Report(ctx context.Context, role string, r wire.Report) (wire.Reported, error)
}

// GateSpending is what gates spend of limits, and what they decided.
type GateSpending struct {
	Book Spending
	Log  hclog.Logger
}

func (g GateSpending) routes() []route {
	return []route{
		{"gate/reserve/(?P<role>[^/]+)", "Units of quotas for a gate.",
			"Reserves blocks of the quotas of keys of this role, and takes back what was not spent of earlier ones. What is granted is spent, whether or not the gate spends it. For gates.", roleName, operations{
				logical.UpdateOperation: {summary: "Reserve units of quotas.", takes: reserveRows.fields(), answers: reserveAnswer, handler: g.reserve, writes: true},
			}},
		{"gate/report/(?P<role>[^/]+)", "What a gate decided.",
			"Counts what a gate decided about keys of this role. A report that came late revives nothing. For gates.", roleName, operations{
				logical.UpdateOperation: {summary: "Report uses.", takes: reportRows.fields(), answers: reportAnswer, handler: g.report, writes: true},
			}},
	}
}

func (g GateSpending) reserve(ctx context.Context, r request) (*logical.Response, error) {
	return gateAnswer(r, func() (answer wire.Grants, err error) {
		var asked wire.Reserve
		if err := reserveRows.take(r.in, &asked); err != nil {
			return answer, err
		}
		granted, now, err := g.Book.Reserve(ctx, r.in.word("role"), asked.Want)
		if err != nil {
			return answer, err
		}
		answer = wire.Grants{Nonce: asked.Nonce, Grants: make([]wire.Grant, len(granted)), Now: now}
		for i, item := range granted {
			if store.Elsewhere(item.Err) {
				return answer, item.Err // the whole call goes to the node that may write
			}
			if item.Err != nil {
				item.Grant = wire.Grant{}
				item.Error, item.Status = tell(g.Log, item.Err)
			}
			answer.Grants[i] = item.Grant
		}
		return answer, nil
	})
}

func (g GateSpending) report(ctx context.Context, r request) (*logical.Response, error) {
	return gateAnswer(r, func() (answer wire.Reported, err error) {
		var told wire.Report
		if err := reportRows.take(r.in, &told); err != nil {
			return answer, err
		}
		return g.Book.Report(ctx, r.in.word("role"), told)
	})
}
