package record

import (
	"reflect"

	"vault-plugin-secrets-apikeys/backend/network"
)

// Weights are what records count for in a cache that is bounded by a number of
// records: 1 up to twice this many bytes of memory, which is twice what a record
// takes as a rule, and as many as it has of these above.
const weightUnit = 1200

// What things take in memory beside the bytes of their texts: the header of a
// text, the pair of headers in a map with its share of free places, a parsed
// network, and what an allocation is rounded up by.
const (
	textOverhead    = 24
	pairOverhead    = 64
	networkOverhead = 64
)

var (
	keySize     = int(reflect.TypeFor[Key]().Size())
	versionSize = int(reflect.TypeFor[Version]().Size())
	roleSize    = int(reflect.TypeFor[Role]().Size())
	haltSize    = int(reflect.TypeFor[Halt]().Size())
)

// Weight is what the key counts for in a cache.
func (k *Key) Weight() int {
	bytes := keySize + policyBytes(k.Metadata, k.BoundCIDRs, k.Scopes) +
		textBytes(k.ID, k.Prefix, k.Role, k.RoleUID, k.Owner, k.StaticName, k.Parent, k.Name, k.RevokeReason, k.CreatedBy.DisplayName, k.CreatedBy.EntityID)
	for i := range k.Versions {
		v := &k.Versions[i]
		bytes += versionSize + textBytes(v.Hash.Reveal(), v.Holder, v.CancelReason) + textBytes(v.Recipients...)
	}
	return max(1, bytes/weightUnit)
}

// Weight is what the role counts for in a cache.
func (r *Role) Weight() int {
	bytes := roleSize + policyBytes(r.Metadata, r.BoundCIDRs, r.AllowedScopes, r.DefaultScopes, r.AllowedRecipients) +
		textBytes(r.UID, r.Description, r.Prefix, r.OwnerTemplate) + r.haltBytes()
	return max(1, bytes/weightUnit)
}

// Weight is what the owner counts for in a cache.
func (o *Owner) Weight() int { return max(1, o.haltBytes()/weightUnit) }

func (s *Stop) haltBytes() (bytes int) {
	for i := range s.Halts {
		bytes += haltSize + len(s.Halts[i].Reason) + len(s.Halts[i].Request)
	}
	return bytes
}

func policyBytes(metadata map[string]string, networks network.List, scopes ...[]string) int {
	bytes := networks.Length() + networks.Count()*networkOverhead
	for k, v := range metadata {
		bytes += pairOverhead + len(k) + len(v)
	}
	for _, list := range scopes {
		bytes += textBytes(list...)
	}
	return bytes
}

func textBytes(texts ...string) (bytes int) {
	for _, t := range texts {
		bytes += textOverhead + len(t)
	}
	return bytes
}
