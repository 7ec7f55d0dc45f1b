package lifecycle

import (
	"context"
	"fmt"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
)

// Asker is who asks for a new version, as Vault tells it.
type Asker struct {
	// Request is Vault's id of the request, the same when Vault runs it again
	// (builtin/plugin/v5), and "" for none. Vault draws it at random for each HTTP
	// request (http/logical.go) and takes none from the client, so nobody can name
	// another's request and have its version replaced.
	Request string
	Holder  string // fingerprint of the token
	// Batch marks a batch token. Vault cuts the lease of one down to what is left
	// of the token, after the engine has answered and without a word.
	Batch bool
}

// ErrBatchToken is returned when a batch token asks for a leased version: the key
// would say that it lives longer than it does, and a renewal widen the gap.
const ErrBatchToken record.Mistake = "a batch token cannot hold the lease of a key: use a service token, or a role with generate_lease=false"

// newID is the id for the key that a request is to make. again tells that the key is
// there: the request is run again, and its first run came that far. Then it is to
// be rotated, which makes its only version anew.
func (e *Engine) newID(ctx context.Context, a Asker) (id string, again bool, err error) {
	if a.Request == "" {
		id, err = apikey.NewID(e.Random)
		return id, false, err
	}
	tagKey, err := e.Store.TagKey(ctx)
	if err != nil {
		return "", false, err
	}
	id, err = tagKey.IDFor(a.Request)
	if err != nil {
		return "", false, fmt.Errorf("make a key id: %w", err)
	}
	k, found, err := e.Store.Key(ctx, id)
	if found && !k.MadeBy(a.Request) {
		err = record.ErrRotatedAlready
	}
	return id, found, err
}
