package paths

import (
	"context"
	"errors"
	"net/http"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
)

// reply makes Vault's error of ours; it is the only place that does. Only a bare
// coded error keeps its status on the way to Vault, so none is wrapped.
//
// What is neither the caller's mistake nor a state of things goes to the log and
// nowhere else.
func (sv *Services) reply(err error) (*logical.Response, error) {
	var mistake record.Mistake
	var conflict record.Conflict
	switch {
	case errors.As(err, &mistake):
		return logical.ErrorResponse(string(mistake)), nil
	case errors.As(err, &conflict):
		return nil, logical.CodedError(http.StatusConflict, string(conflict))
	case errors.Is(err, record.ErrKeyNotFound):
		return nil, logical.CodedError(http.StatusNotFound, record.ErrKeyNotFound.Error())
	case errors.Is(err, record.ErrRoleNotFound):
		return nil, logical.CodedError(http.StatusNotFound, record.ErrRoleNotFound.Error())
	case errors.Is(err, keyhash.ErrBusy):
		return nil, logical.CodedError(http.StatusServiceUnavailable, "busy: too many keys are being hashed; try again")
	case errors.Is(err, limit.ErrBusy):
		return nil, logical.CodedError(http.StatusServiceUnavailable, limit.ErrBusy.Error())
	case errors.Is(err, errNoRoom):
		return nil, logical.CodedError(http.StatusServiceUnavailable, errNoRoom.Error())
	case elsewhere(err):
		// A standby: Vault passes the request on to the active node.
		return nil, logical.ErrReadOnly
	case errors.Is(err, context.Canceled):
		sv.Logger.Debug("the client gave up", "error", err)
	default:
		sv.Logger.Error("request failed", "error", err)
	}
	return nil, logical.CodedError(http.StatusInternalServerError, "internal error")
}

// elsewhere tells whether only the node that may write can answer.
func elsewhere(err error) bool {
	return store.IsReadOnly(err) || errors.Is(err, record.ErrElsewhere)
}
