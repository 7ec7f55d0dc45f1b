package lineage

import (
	"maps"
	"net/netip"

	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/scope"
)

// Scopes are the effective ones: the key's, as far as its role and all above it
// still allow them. They narrow from the root of the delegation down to the key.
func (l *Lineage) Scopes() []string {
	if l.Standing.Role == nil {
		return nil
	}
	allowed := l.Standing.Role.AllowedScopes
	for i := len(l.Ancestors) - 1; i >= 0; i-- {
		allowed = scope.Intersect(l.Ancestors[i].Key.Scopes, allowed)
	}
	return scope.Intersect(l.Key.Scopes, allowed)
}

// Metadata are the key's pairs and, where it has none of that name, the role's. A
// delegated key adds to what is said above it and replaces none of it: its pairs
// are its holder's word, the others the issuer's.
func (l *Lineage) Metadata() map[string]string {
	role := l.Standing.Role
	if role == nil {
		role = &record.Role{}
	}
	if l.Key.Parent == "" {
		return role.MergeMetadata(l.Key.Metadata)
	}
	all, above := map[string]string{}, role.Metadata
	maps.Copy(all, l.Key.Metadata)
	for i := range l.Ancestors {
		if a := &l.Ancestors[i].Key; a.Parent == "" {
			above = role.MergeMetadata(a.Metadata)
		} else {
			maps.Copy(all, a.Metadata)
		}
	}
	maps.Copy(all, above)
	return all
}

// Limits are the tighter of the key's own and its role's. Those of its ancestors
// bind beside them.
func (l *Lineage) Limits() record.Limits {
	if l.Standing.Role == nil {
		return record.Limits{}
	}
	return l.Key.Limits.Under(l.Standing.Role.Limits)
}

// RequiresScopes tells whether whoever asks about the key must name scopes.
func (l *Lineage) RequiresScopes() bool {
	return l.Standing.Role != nil && l.Standing.Role.RequireScopes
}

// Admits tells whether an address lies within the networks of the role, the key
// and all its ancestors. Where any are bound, no address is none of them.
func (l *Lineage) Admits(addr netip.Addr) bool {
	within := func(networks *network.List) bool { return networks.Empty() || networks.Contains(addr) }
	if l.Standing.Role == nil || !within(&l.Standing.Role.BoundCIDRs) || !within(&l.Key.BoundCIDRs) {
		return false
	}
	for i := range l.Ancestors {
		if !within(&l.Ancestors[i].Key.BoundCIDRs) {
			return false
		}
	}
	return true
}
