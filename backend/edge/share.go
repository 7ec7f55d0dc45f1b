package edge

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"vault-plugin-secrets-apikeys/backend/cache"
	"vault-plugin-secrets-apikeys/backend/record"
)

// shares lets records have in common what many say alike: their role, their owner,
// their scopes, their metadata. A map of one pair alone takes half as much memory as the
// rest of a record. Records are values, so nobody changes what they share.
type shares struct {
	texts *cache.Cache[string, string]
	lists *cache.Cache[string, []string]
	pairs *cache.Cache[string, map[string]string]
}

const (
	// sharedSize is how many of each kind are remembered.
	sharedSize = 512
	// maxShared is how long one may be, by its bytes. Longer ones are rarely alike.
	maxShared = 256
)

func newShares() shares {
	return shares{cache.New[string, string](sharedSize), cache.New[string, []string](sharedSize), cache.New[string, map[string]string](sharedSize)}
}

// key is k with what others have as well.
func (s *shares) key(k *record.Key) {
	for _, text := range []*string{&k.Role, &k.RoleUID, &k.Owner, &k.Name} {
		*text = shared(s.texts, *text, *text)
	}
	k.Scopes = shared(s.lists, joined(k.Scopes), k.Scopes)
	var all []string
	for _, name := range slices.Sorted(maps.Keys(k.Metadata)) {
		all = append(all, name, k.Metadata[name])
	}
	k.Metadata = shared(s.pairs, joined(all), k.Metadata)
}

// shared is the value that was first seen under a name, or this one.
func shared[V any](of *cache.Cache[string, V], name string, value V) V {
	if name == "" || len(name) > maxShared {
		return value
	}
	before, ok, ticket := of.Get(name)
	if ok {
		return before
	}
	of.Fill(name, value, ticket)
	return value
}

// joined is one text for a list, and no other list's.
func joined(list []string) string {
	var b strings.Builder
	for _, text := range list {
		b.WriteString(strconv.Itoa(len(text)))
		b.WriteByte(':')
		b.WriteString(text)
	}
	return b.String()
}
