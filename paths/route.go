package paths

import (
	"context"
	"errors"
	"net/http"

	"github.com/hashicorp/go-hclog"
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
	media   string // of an answer that has no fields, but is text of this type
	handler handler
	// writes marks an operation that a standby passes on to the active node.
	writes bool
	// exists tells a write that creates from one that changes, where that matters.
	exists func(ctx context.Context, in input) (bool, error)
}

// operations are what a path can do.
type operations map[logical.Operation]operation

// route is one path. captures are the named parts of the pattern.
type route struct {
	pattern, synopsis, description string
	captures                       fields
	operations                     operations
}

// declare is the path as Vault takes it.
func (r route) declare(log hclog.Logger) *framework.Path {
	p := &framework.Path{
		Pattern:         r.pattern,
		Fields:          r.captures.schema(false),
		Operations:      make(map[logical.Operation]framework.OperationHandler, len(r.operations)),
		HelpSynopsis:    r.synopsis,
		HelpDescription: r.description,
		DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: "api-keys"},
	}
	for op, o := range r.operations {
		for name, field := range o.takes.schema(op == logical.ReadOperation || op == logical.ListOperation) {
			// A field of a read and of a write is one declaration to the framework,
			// which puts it where each has its parameters. Operations come in any order.
			if before := p.Fields[name]; before != nil {
				field.Query = field.Query || before.Query
			}
			p.Fields[name] = field
		}
		if o.exists != nil {
			p.ExistenceCheck = func(ctx context.Context, _ *logical.Request, captured *framework.FieldData) (bool, error) {
				return o.exists(ctx, captured.Raw)
			}
		}
		p.Operations[op] = &framework.PathOperation{
			Callback:                    o.handle(log),
			Summary:                     o.summary,
			Responses:                   o.responses(),
			ForwardPerformanceStandby:   o.writes,
			ForwardPerformanceSecondary: o.writes,
		}
	}
	return p
}

func (o operation) responses() map[int][]framework.Response {
	if o.media != "" {
		return map[int][]framework.Response{http.StatusOK: {{Description: "OK", MediaType: o.media}}}
	}
	if o.answers == nil {
		return map[int][]framework.Response{http.StatusNoContent: {{Description: "No Content"}}}
	}
	return map[int][]framework.Response{http.StatusOK: {{Description: "OK", Fields: o.answers.answer()}}}
}

// handle wraps the handler: it decodes before and makes Vault's errors after.
func (o operation) handle(log hclog.Logger) framework.OperationFunc {
	return func(ctx context.Context, req *logical.Request, captured *framework.FieldData) (*logical.Response, error) {
		data, _ := ctx.Value(bodyKey{}).(map[string]any)
		in, err := o.takes.decode(data, captured.Raw)
		if err != nil {
			return reply(log, err)
		}
		resp, err := o.handler(ctx, request{req, in})
		if err != nil {
			// Storage between processes does not say so when the client gave up.
			return reply(log, errors.Join(err, ctx.Err()))
		}
		return resp, nil
	}
}

// answer is a response with this data.
func answer(data map[string]any, warnings ...string) *logical.Response {
	return &logical.Response{Data: data, Warnings: warnings}
}
