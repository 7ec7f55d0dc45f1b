package paths

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
)

// leaseType is stored in every lease; renaming it would orphan them.
const leaseType = "api_key"

// Leases renews and ends the versions of leases.
type Leases interface {
	Renew(ctx context.Context, r lifecycle.RenewRequest) (lifecycle.Renewal, error)
	EndLease(ctx context.Context, id string, version int) error
	WithdrawLease(ctx context.Context, id string, version int) error
}

// Secrets are the kinds of lease that the mount gives out.
func Secrets(leases Leases, system logical.SystemView, clock Clock, log hclog.Logger) []*framework.Secret {
	l := leaseHooks{leases, system, clock, log}
	return []*framework.Secret{{Type: leaseType, Renew: l.renew, Revoke: l.revoke}}
}

type leaseHooks struct {
	leases Leases
	system logical.SystemView
	clock  Clock
	log    hclog.Logger
}

// newLease answers with a lease of this version. It remembers strings only,
// because numbers come back from Vault as floating point.
func newLease(data map[string]any, id string, version int) *logical.Response {
	resp := (&framework.Secret{Type: leaseType}).Response(data, map[string]any{"key_id": id, "version": strconv.Itoa(version)})
	resp.Secret.Renewable = true
	return resp
}

// leaseTTL is what a new lease must run to end with the record, or within a
// second after it. Vault counts it from the moment at which it gets the answer,
// and the record was dated before it was written.
//
// Counted by the mount's clock: while the wall clock is in doubt, Vault, which
// goes by it, may show another moment as the lease's end, but both end at the
// same time. A lease that ended by a doubtful clock would end a good key.
func leaseTTL(left time.Duration) time.Duration {
	return max(time.Second, (left + time.Second - 1).Truncate(time.Second))
}

func leased(r *logical.Request) (id string, version int, err error) {
	id, _ = r.Secret.InternalData["key_id"].(string)
	number, _ := r.Secret.InternalData["version"].(string)
	version, err = strconv.Atoi(number)
	if id == "" || err != nil {
		return "", 0, errors.New("the lease names no key")
	}
	return id, version, nil
}

// renew answers without data, which scrubs the key's text from the lease.
func (l leaseHooks) renew(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	id, version, err := leased(req)
	if err != nil {
		return nil, err
	}
	issued := req.Secret.IssueTime
	renewal, err := l.leases.Renew(ctx, lifecycle.RenewRequest{
		ID:        id,
		Version:   version,
		Increment: record.InSeconds(req.Secret.Increment),
		Grant: func(lifetime, max record.Seconds) (record.Seconds, error) {
			ttl, _, err := framework.CalculateTTL(l.system, req.Secret.Increment, lifetime.Std(), 0, max.Std(), 0, issued)
			return record.InSeconds(ttl), err
		},
	})
	if err != nil {
		return nil, l.error("renew", err)
	}
	secret := req.Secret
	secret.TTL = renewal.TTL.Std()
	secret.Renewable = renewal.Renewable
	// Only the maximum holds against the client's increment, and against the time
	// that the answer takes to Vault. Vault counts it from the second in which it
	// issued the lease, by the wall clock, which may be in doubt: see leaseTTL.
	end := time.Now().Add(l.clock.Until(renewal.Until)).Round(time.Second)
	secret.MaxTTL = end.Sub(issued.Truncate(time.Second))
	return &logical.Response{Secret: secret}, nil
}

// revoke is asked for when a lease ends, however it ends. An error would be
// retried, and would keep a mount from being disabled, whose storage goes in any
// case: there it is only logged. A mount that moves looks the same and keeps its
// storage, so the version is ended in both.
func (l leaseHooks) revoke(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	err := l.end(ctx, req)
	if err != nil && l.system.Tainted() {
		l.log.Error("a lease of a mount that is disabled or moved ended, and its key may not have", "error", err)
		err = nil
	}
	return nil, err
}

// end ends the version of a lease. Vault dates every lease that it has
// registered; one without a date it could not register, so nobody got the answer.
func (l leaseHooks) end(ctx context.Context, req *logical.Request) error {
	id, version, err := leased(req)
	if err != nil {
		return err
	}
	end := l.leases.EndLease
	if req.Secret.IssueTime.IsZero() {
		end = l.leases.WithdrawLease
	}
	if err := end(ctx, id, version); err != nil {
		return l.error("revoke", err)
	}
	return nil
}

// error is plain: Vault shows nothing else of a lease well.
func (l leaseHooks) error(what string, err error) error {
	text, _ := tell(l.log, fmt.Errorf("%s a lease: %w", what, err))
	return errors.New(text)
}
