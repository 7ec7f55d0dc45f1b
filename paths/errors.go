package paths

import (
	"context"
	"errors"
	"net/http"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/store"
)

// ErrInternal is all that a caller hears of what is neither its mistake nor a state
// of things.
var ErrInternal = logical.CodedError(http.StatusInternalServerError, "internal error")

// reply makes Vault's error of ours; it is the only place that does. Only a bare
// coded error keeps its status on the way to Vault, so none is wrapped.
func reply(log hclog.Logger, err error) (*logical.Response, error) {
	if store.Elsewhere(err) {
		// A standby: Vault passes the request on to the active node.
		return nil, logical.ErrReadOnly
	}
	switch text, status := tell(log, err); status {
	case http.StatusBadRequest:
		return logical.ErrorResponse(text), nil
	case http.StatusInternalServerError:
		return nil, ErrInternal
	default:
		return nil, logical.CodedError(status, text)
	}
}

// tell is what the caller hears of an error. One that has no status of its own goes
// to the log and nowhere else.
func tell(log hclog.Logger, err error) (text string, status int) {
	var told interface {
		error
		HTTPStatus() int
	}
	switch {
	case errors.As(err, &told):
		return told.Error(), told.HTTPStatus()
	case errors.Is(err, context.Canceled):
		log.Debug("the client gave up", "error", err)
	default:
		log.Error("request failed", "error", err)
	}
	return ErrInternal.Error(), http.StatusInternalServerError
}
