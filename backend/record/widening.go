package record

import (
	"maps"
	"slices"

	"vault-plugin-secrets-apikeys/backend/scope"
)

// The kinds of what an owner's path may widen on a key, where the role says so.
const (
	widenScopes   = "scopes"
	widenNetworks = "bound_cidrs"
	widenLimits   = "limits"
	widenMetadata = "metadata"
)

// checkWidenings refuses a list of anything else.
func checkWidenings(kinds []string) error {
	known := []string{widenScopes, widenNetworks, widenLimits, widenMetadata}
	for i, kind := range kinds {
		if !slices.Contains(known, kind) || slices.Contains(kinds[:i], kind) {
			return Mistake("owner_may_widen takes scopes, bound_cidrs, limits and metadata, each once")
		}
	}
	return nil
}

// OwnerMay refuses a change of a key on its owner's path that gives it more than
// the issuer did, except where the role lists that.
func (r Role) OwnerMay(before, after *Key) error {
	for i := range before.Versions {
		if !same(before.Versions[i].Recipients, after.Versions[i].Recipients) {
			return ErrOwnersRecipients
		}
	}
	for _, kind := range widened(before, after) {
		switch {
		case slices.Contains(r.OwnerMayWiden, kind):
		case kind == widenMetadata:
			return Mistake("the role's owner_may_widen does not list metadata: it cannot be changed here")
		default:
			return Mistakef("the role's owner_may_widen does not list %s: they can only be narrowed here", kind)
		}
	}
	return nil
}

// widened are the kinds in which a key has more than before. Scopes are held
// against the key's own: that they lie within the role's and the parent's, and so
// within the effective ones, is asked of every change. What metadata mean nobody
// here knows, so every change of them counts.
func widened(before, after *Key) (kinds []string) {
	if !scope.Within(after.Scopes, before.Scopes) {
		kinds = append(kinds, widenScopes)
	}
	if !after.BoundCIDRs.Within(before.BoundCIDRs) {
		kinds = append(kinds, widenNetworks)
	}
	if !after.Limits.narrow(before.Limits) {
		kinds = append(kinds, widenLimits)
	}
	if !maps.Equal(after.Metadata, before.Metadata) {
		kinds = append(kinds, widenMetadata)
	}
	return kinds
}

// narrow tells whether nothing that was refused under these limits before passes
// now. Limits over different periods cannot be compared, so another period is
// never narrower, but for a limit that is set where there was none.
func (l Limits) narrow(before Limits) bool {
	within := func(n, was int64, samePeriod bool) bool {
		if was == 0 && n > 0 {
			return true
		}
		return samePeriod && (was == 0 || n > 0 && n <= was)
	}
	return within(l.RateLimit, before.RateLimit, l.RateLimitPeriod == before.RateLimitPeriod) &&
		within(l.Quota, before.Quota, l.QuotaPeriod == before.QuotaPeriod)
}
