package paths

import (
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"
)

func TestAFieldOfAReadIsAQueryParameterAlsoWhereAWriteTakesIt(t *testing.T) {
	takes := fields{"scopes": {kind: list}, "key": {kind: word, secret: true}}
	for range 50 { // operations are visited in any order
		p := route{pattern: "verify", operations: operations{
			logical.ReadOperation:   {takes: takes},
			logical.UpdateOperation: {takes: takes},
		}}.declare(hclog.NewNullLogger())
		if !p.Fields["scopes"].Query {
			t.Fatal("scopes is no query parameter")
		}
		if p.Fields["key"].Query {
			t.Fatal("a key is offered as a query parameter")
		}
	}
}
