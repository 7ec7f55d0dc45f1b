package paths

import (
	"context"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/disclose"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

var askRows = rows[disclose.Question]{
	nonce(func(q *disclose.Question) *string { return &q.Nonce }),
	{name: "keys", field: field{kind: list, help: "Texts that were presented.", secret: true}, set: func(in input, q *disclose.Question) error {
		for _, text := range get[[]string](in, "keys") {
			q.Texts = append(q.Texts, apikey.Present(text))
		}
		return nil
	}},
	askedBy("key_ids", "Keys to be shown.", checkID, func(q *disclose.Question) *[]string { return &q.KeyIDs }),
	askedBy("roles", "Roles to be shown.", record.CheckName, func(q *disclose.Question) *[]string { return &q.Roles }),
	askedBy("owners", "Owners to be shown.", record.CheckName, func(q *disclose.Question) *[]string { return &q.Owners }),
}

// askedBy are names of what is to be shown. One that is none is refused, and not told to
// be nothing: the answer has each name, and this could be a key in the wrong place.
func askedBy(name, help string, check func(field, name string) error, place func(*disclose.Question) *[]string) row[disclose.Question] {
	return row[disclose.Question]{name: name, field: field{kind: list, help: help}, set: func(in input, q *disclose.Question) error {
		*place(q) = get[[]string](in, name)
		for _, asked := range *place(q) {
			if err := check(name, asked); err != nil {
				return err
			}
		}
		return nil
	}}
}

func checkID(field, id string) error {
	if !apikey.ValidID(id) {
		return record.Mistakef("%s has an entry that is no key id", field)
	}
	return nil
}

var askAnswer = fields{
	"nonce":   pollAnswer["nonce"],
	"results": {kind: objects, help: "Of keys, in order: key_id and version; or code, which is invalid; or error and http_status."},
	"records": {kind: object, help: "By key_id: what a verdict about a key is made of, of all that were proven or asked for and of their ancestors; null for what is none. What is not there could not be told for now."},
	"roles":   {kind: object, help: "Likewise by name: those that were asked for, and those of the records."},
	"owners":  {kind: object, help: "Likewise by name: null for one that was never stopped."},
	"cursor":  {kind: text, help: "Place in the feed of gate/changes that all this is no older than; empty before the first poll."},
	"now":     {kind: count, help: "The engine's clock, in milliseconds since 1970."},
}

var confirmRows = rows[wire.Confirm]{
	nonce(func(c *wire.Confirm) *string { return &c.Nonce }),
	{name: "known", field: field{kind: text, help: "Up to 4096 times a key_id and the fingerprint of its record, with nothing between."}, set: func(in input, c *wire.Confirm) (err error) {
		c.Known, err = required[string](in, "known")
		return err
	}},
}

var confirmAnswer = fields{
	"nonce":   pollAnswer["nonce"],
	"changed": {kind: list, help: "The key_ids of records that are gone or have another fingerprint."},
	"cursor":  askAnswer["cursor"],
	"now":     askAnswer["now"],
}

// Discloser tells gates what they decide by.
type Discloser interface {
	Resolve(ctx context.Context, q disclose.Question, undecided func(error) wire.Result) (*disclose.Answer, error)
	Confirm(ctx context.Context, c wire.Confirm) (wire.Confirmed, error)
}

// Disclose is what gates ask for.
type Disclose struct {
	Records Discloser
	Log     hclog.Logger
}

const resolveHelp = `Proves keys as verify does, and shows what verdicts about them are made of: never a hash, who made a key, or why it ended. Spends nothing, and is no use of a key. For gates, which decide about keys beside a gateway.`

func (d Disclose) routes() []route {
	resolve := operations{logical.UpdateOperation: {summary: "Resolve keys.", takes: askRows.fields(), answers: askAnswer, handler: d.resolve, writes: true}}
	return []route{
		{"gate/resolve", "Which keys are these, and what is known of them?", resolveHelp, nil, resolve},
		{"gate/resolve/(?P<role>[^/]+)", "Which keys of this role are these, and what is known of them?", resolveHelp, roleName, resolve},
		{"gate/confirm", "Which records are not what a gate thinks?", "Compares fingerprints, and tells nothing else.", nil, operations{
			logical.UpdateOperation: {summary: "Confirm records.", takes: confirmRows.fields(), answers: confirmAnswer, handler: d.confirm, writes: true},
		}},
	}
}

func (d Disclose) resolve(ctx context.Context, r request) (*logical.Response, error) {
	return gateAnswer(r, func() (*disclose.Answer, error) {
		q := disclose.Question{Role: r.in.word("role")}
		if err := askRows.take(r.in, &q); err != nil {
			return nil, err
		}
		if len(q.Texts)+len(q.KeyIDs)+len(q.Roles)+len(q.Owners) > wire.MaxNames {
			return nil, record.Mistakef("more than %d names in all", wire.MaxNames)
		}
		return d.Records.Resolve(ctx, q, d.undecided)
	})
}

// undecided is what stands in the place of a text that was not decided about.
func (d Disclose) undecided(err error) (r wire.Result) {
	r.Error, r.Status = tell(d.Log, err)
	return r
}

func (d Disclose) confirm(ctx context.Context, r request) (*logical.Response, error) {
	return gateAnswer(r, func() (wire.Confirmed, error) {
		var c wire.Confirm
		if err := confirmRows.take(r.in, &c); err != nil {
			return wire.Confirmed{}, err
		}
		return d.Records.Confirm(ctx, c)
	})
}
