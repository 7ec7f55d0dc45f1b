package paths

import (
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

func TestAFieldOfAReadIsAQueryParameterAlsoWhereAWriteTakesIt(t *testing.T) {
	takes := fields{"scopes": {kind: list}, "key": {kind: word, secret: true}}
	for range 50 { // operations are visited in any order
		p := new(Services).path("verify", "", "", nil, map[logical.Operation]operation{
			logical.ReadOperation:   {takes: takes},
			logical.UpdateOperation: {takes: takes},
		})
		if !p.Fields["scopes"].Query {
			t.Fatal("scopes is no query parameter")
		}
		if p.Fields["key"].Query {
			t.Fatal("a key is offered as a query parameter")
		}
	}
}
