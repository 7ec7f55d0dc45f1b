package vaultside

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

// lockout is for how long an AppRole rests that Vault refused. Of five refusals, none of them later than a quarter
// of an hour after the one before, Vault locks out every gate that logs in by that AppRole.
const lockout = 16 * time.Minute

// refused tells whether Vault knows the AppRole's words for wrong. While it locks out, it denies
// a login and counts none, so that may be asked at once.
func refused(err error) bool {
	response := new(api.ResponseError)
	return errors.As(err, &response) && response.StatusCode == http.StatusBadRequest
}

// otherwise waits until an AppRole's files hold something else than was tried, or the lockout is over.
func otherwise(ctx context.Context, r *config.AppRole, tried [sha256.Size]byte) {
	tick, over := time.NewTicker(look), time.NewTimer(lockout)
	defer tick.Stop()
	defer over.Stop()
	for digest(r) == tried {
		select {
		case <-ctx.Done():
			return
		case <-over.C:
			return
		case <-tick.C:
		}
	}
}

// digest tells what an AppRole's files hold from anything else.
func digest(r *config.AppRole) [sha256.Size]byte {
	if r == nil {
		return [sha256.Size]byte{}
	}
	role, _ := os.ReadFile(r.RoleIDFile)
	secret, _ := os.ReadFile(r.SecretIDFile)
	return sha256.Sum256(append(append(role, 0), secret...))
}
