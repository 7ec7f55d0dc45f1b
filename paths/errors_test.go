package paths

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/question"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
)

func TestEveryErrorHasItsStatusAndText(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]struct {
		status int
		text   string
		logged bool
	}{
		record.Mistake("ttl exceeds max_ttl"): {400, "ttl exceeds max_ttl", false},
		record.ErrKeyEnded:                    {409, "the key has ended", false},
		record.ErrKeyNotActive:                {409, "the key is not active", false},
		record.ErrRoleDisabled:                {409, "the role is disabled", false},
		record.ErrRoleInUse:                   {409, "the role still has keys that have not ended; end them first, all at once with stop/roles", false},
		record.ErrNotNewest:                   {409, "this version of the key is superseded; use the newest version", false},
		record.ErrVersionDiffers:              {409, "expected_version is not the key's highest version", false},
		record.ErrRotatedAlready:              {409, "the key was rotated by another request at the same time", false},
		record.ErrOwnerFull:                   {409, "the owner has as many keys as the role's max_keys_per_owner allows", false},
		record.ErrNoMoreRenewals:              {409, "the version has lived for as long as its role and the mount allow; rotate the key", false},
		lifecycle.ErrTooDeep:                  {400, "the role's max_delegation_depth allows no further delegation", false},
		question.ErrNoRoom:                    {503, "busy: the answers to batches are full; ask about this item in another batch, or with brief", false},
		limit.ErrBusy:                         {503, "busy: too many keys are partly through their limits", false},
		record.ErrLastVersion:                 {409, "the key has reached its last version number; issue a new key", false},
		record.ErrKeyNotFound:                 {404, "key not found", false},
		record.ErrRoleNotFound:                {404, "role not found", false},
		keyhash.ErrBusy:                       {503, "busy: too many keys are being hashed; try again", false},
		store.ErrNoTagKey:                     {500, "internal error", true},
		store.ErrIDTaken:                      {500, "internal error", true},
		keyhash.ErrMalformed:                  {500, "internal error", true},
		errors.New("the cause"):               {500, "internal error", true},
		context.DeadlineExceeded:              {500, "internal error", true},
		context.Canceled:                      {500, "internal error", false},
	} {
		for wrap, wrapped := range map[string]error{"": err, "wrapped ": fmt.Errorf("load role: %w", err)} {
			var log bytes.Buffer
			resp, got := reply(hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Info}), wrapped)
			status, text := 0, ""
			if coded, ok := got.(logical.HTTPCodedError); ok {
				status, text = coded.Code(), coded.Error()
			} else if got == nil && resp.IsError() {
				status, text = http.StatusBadRequest, resp.Error().Error()
			}
			if status != want.status || text != want.text || got != nil && resp != nil {
				t.Errorf("%s%q is %d %q (%v)", wrap, err, status, text, got)
			}
			if logged := log.Len() > 0; logged != want.logged || logged && !strings.Contains(log.String(), err.Error()) {
				t.Errorf("%s%q is logged as %q", wrap, err, &log)
			}
		}
	}
}

// A standby's refusal must reach Vault bare, or the request is not forwarded.
func TestAStandbysRefusalReachesVaultAsItIs(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		logical.ErrReadOnly,
		fmt.Errorf("write key/aa: %w", logical.ErrReadOnly),
		errors.New("rpc error: code = Unknown desc = " + logical.ErrReadOnly.Error()),
	} {
		if resp, got := reply(hclog.NewNullLogger(), err); got != logical.ErrReadOnly || resp != nil {
			t.Errorf("%q is %v", err, got)
		}
	}
}

func TestALeasesErrorIsPlain(t *testing.T) {
	t.Parallel()
	hooks := leaseHooks{log: hclog.NewNullLogger()}
	for err, want := range map[error]string{
		fmt.Errorf("renew: %w", record.ErrKeyEnded): "the key has ended",
		record.ErrKeyNotFound:                       "key not found",
		errors.New("$argon2id$ in storage"):         "internal error",
	} {
		got := hooks.error("renew", err)
		if _, coded := got.(logical.HTTPCodedError); coded || got.Error() != want {
			t.Errorf("%q is %v", err, got)
		}
	}
}
