package paths

import (
	"context"
	"errors"
	"net/http"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// request is one decoded request.
type request struct {
	*logical.Request
	in input
}

// handler answers one request. A nil response is 204, or 404 to a read.
type handler func(ctx context.Context, r request) (*logical.Response, error)

// operation is one thing that a path can do.
type operation struct {
	summary string
	takes   fields // parameters in the body, or in the query of a read
	answers fields // nil for no content
	handler handler
	// writes marks an operation that a standby passes on to the active node.
	writes bool
}

// path declares one path. captures are the named parts of the pattern.
func (sv *Services) path(pattern, synopsis, description string, captures fields, operations map[logical.Operation]operation) *framework.Path {
	p := &framework.Path{
		Pattern:         pattern,
		Fields:          captures.schema(false),
		Operations:      make(map[logical.Operation]framework.OperationHandler, len(operations)),
		HelpSynopsis:    synopsis,
		HelpDescription: description,
		DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: "api-keys"},
	}
	for op, o := range operations {
		for name, field := range o.takes.schema(op == logical.ReadOperation || op == logical.ListOperation) {
			// A field of a read and of a write is one declaration to the framework,
			// which puts it where each has its parameters. Operations come in any order.
			if before := p.Fields[name]; before != nil {
				field.Query = field.Query || before.Query
			}
			p.Fields[name] = field
		}
		p.Operations[op] = &framework.PathOperation{
			Callback:                    sv.handle(o),
			Summary:                     o.summary,
			Responses:                   o.responses(),
			ForwardPerformanceStandby:   o.writes,
			ForwardPerformanceSecondary: o.writes,
		}
	}
	return p
}

func (o operation) responses() map[int][]framework.Response {
	if o.answers == nil {
		return map[int][]framework.Response{http.StatusNoContent: {{Description: "No Content"}}}
	}
	return map[int][]framework.Response{http.StatusOK: {{Description: "OK", Fields: o.answers.answer()}}}
}

// handle wraps a handler: it decodes before and makes Vault's errors after.
func (sv *Services) handle(o operation) framework.OperationFunc {
	return func(ctx context.Context, req *logical.Request, captured *framework.FieldData) (*logical.Response, error) {
		in, err := decode(o.takes, body(ctx), captured.Raw)
		if err != nil {
			return reply(sv.Logger, err)
		}
		resp, err := o.handler(ctx, request{req, in})
		if err != nil {
			// Storage between processes does not say so when the client gave up.
			return reply(sv.Logger, errors.Join(err, ctx.Err()))
		}
		return resp, nil
	}
}

// answer is a response with this data.
func answer(data map[string]any, warnings ...string) *logical.Response {
	return &logical.Response{Data: data, Warnings: warnings}
}
