package store

import (
	"context"
	"strings"
	"sync"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/cache"
	"vault-plugin-secrets-apikeys/backend/record"
)

// The folders and single entries of a mount's storage.
const (
	configPath    = "config"
	tagKeyPath    = "tag-key"
	feedTermPath  = "feed-term"
	roleFolder    = "role/"
	ownerFolder   = "owner/"
	keyFolder     = "key/"
	ownerKeys     = "owner-key/"
	roleKeys      = "role-key/"
	rosterFolder  = "roster/"
	staticFolder  = "static/"
	quotaFolder   = "quota/"
	usageFolder   = "usage/"
	usageMarkPath = usageFolder + "mark"
	usageKeys     = usageFolder + "key/"
	usageOwners   = usageFolder + "owner/"
	deltaFolder   = usageFolder + "delta/"
	shardIDChars  = 2

	honeytokenFolder = "honeytoken/"
	alertFolder      = "alert/"
)

// SealWrapped are the entries that Vault Enterprise seal-wraps where the mount
// asks for it.
func SealWrapped() []string { return []string{tagKeyPath, keyFolder} }

// Local are the entries that are not replicated to other clusters: each counts
// its own uses.
func Local() []string { return []string{usageFolder} }

// Store is the records of one mount. It is safe for concurrent use.
type Store struct {
	storage logical.Storage
	keys    *table[record.Key]
	roles   *table[record.Role]
	owners  *table[record.Owner]
	config  *table[record.Config]
	tagKey  *cache.Cache[string, *apikey.TagKey]

	changed func(kind Kind, name string)

	roleHolds  locks // by role: shared by what makes keys of it or lengthens their lives
	ownerHolds locks // by owner: shared by what makes keys of it, exclusive for counting them
	nameHolds  locks // by static name: exclusive for what gives it to a key or takes it away

	usage usageLog

	makeTagKey sync.Mutex // held while the tag key is made
}

// policyCacheSize bounds how many roles and how many owners are kept in memory,
// of the usual size: 32 MiB at the most, and 16.
const policyCacheSize = 16384

// one is the weight of what there is one of.
func one[V any](*V) int { return 1 }

// New makes the store of a mount. It touches no storage: Vault makes a mount
// without any to ask for its version.
func New(storage logical.Storage) *Store {
	s := &Store{storage: storage, tagKey: cache.New[string, *apikey.TagKey](1)}
	s.keys = newTable(s, KeyChanged, record.DefaultConfig().VerifyCacheSize, (*record.Key).Weight, false, keyPath)
	s.roles = newTable(s, RoleChanged, policyCacheSize, (*record.Role).Weight, true, func(name string) string { return roleFolder + name })
	s.owners = newTable(s, OwnerChanged, policyCacheSize, (*record.Owner).Weight, true, func(name string) string { return ownerFolder + name })
	s.config = newTable(s, ConfigChanged, 1, one[record.Config], true, func(string) string { return configPath })
	s.keys.named = func(k record.Key, id string) bool {
		return k.ID == id && (k.Parent == "" || apikey.ValidID(k.Parent))
	}
	return s
}

// Invalidate forgets what was cached of one storage entry, because another node
// changed it, and tells of it.
func (s *Store) Invalidate(path string) {
	folder, name, _ := strings.Cut(path, "/")
	base := name[strings.LastIndex(name, "/")+1:]
	switch folder + "/" {
	case keyFolder:
		s.keys.cache.Drop(base)
		s.tell(KeyChanged, base)
	case roleFolder:
		s.roles.cache.Drop(name)
		s.tell(RoleChanged, name)
	case ownerFolder:
		s.owners.cache.Drop(name)
		s.tell(OwnerChanged, name)
	case usageFolder:
		s.usage.changes.Add(1)
		s.tell(UsageChanged, "")
	case quotaFolder:
		s.tell(QuotaChanged, base)
	case honeytokenFolder, alertFolder:
		s.tell(WatchChanged, "")
	case ownerKeys, roleKeys, rosterFolder, staticFolder, feedTermPath + "/":
		// Not cached here.
	default:
		// The configuration, the tag key, or what a later version of this
		// engine writes: rare, so everything goes.
		s.keys.cache.Clear()
		s.roles.cache.Clear()
		s.owners.cache.Clear()
		s.config.cache.Clear()
		s.tagKey.Clear()
		s.tell(AllChanged, "")
	}
}

// Configure changes how many key records, of the usual size, are kept in memory.
func (s *Store) Configure(c record.Config) { s.keys.cache.Resize(c.VerifyCacheSize) }

// Measure tells of the key records that are kept in memory.
func (s *Store) Measure(tell func(figure string, value float64, labels ...string)) {
	s.keys.cache.Measure("records", tell)
}

// Config is the mount's configuration: the defaults where none was written.
func (s *Store) Config(ctx context.Context) (record.Config, error) {
	c, found, err := s.config.get(ctx, "")
	if err != nil || found {
		return c, err
	}
	return record.DefaultConfig(), nil
}

// UpdateConfig changes the configuration under its lock.
func (s *Store) UpdateConfig(ctx context.Context, change func(*record.Config) error) (record.Config, error) {
	return s.config.update(ctx, "", writing[record.Config]{hold: alone}, func(c record.Config, found bool) (record.Config, error) {
		if !found {
			c = record.DefaultConfig()
		}
		err := change(&c)
		return c, err
	})
}

// Kind is a kind of thing that changes.
type Kind string

// The kinds. What is the one of its kind has no name.
const (
	KeyChanged    Kind = "key"     // by its id
	KeyRevised    Kind = "revised" // by its id, in a way that nobody has to hear of at once
	RoleChanged   Kind = "role"    // by its name
	OwnerChanged  Kind = "owner"   // by its name
	QuotaChanged  Kind = "quota"   // by its key's id, on another node: here package limit writes them, and knows
	UsageChanged  Kind = "usage"   // of keys that are not named, on another node
	WatchChanged  Kind = "watch"   // honeytokens or alerts, on another node
	ConfigChanged Kind = "config"
	AllChanged    Kind = "all" // perhaps: another node wrote what concerns them all
)

// OnChange has changed told of each change of what decisions are made by. It is
// called once storage has it, before anybody is answered and mostly under the lock of
// the write; also when a write failed, since nobody knows then what storage holds;
// and where another node wrote. So who asks after a call gets what was written, or
// later.
//
// It must not call back into what writes, nor wait for more than a read of what was
// written: an emergency may wait for the same lock. It is set before the store is used.
//
// Not told is what nobody has decided by, or would decide otherwise by: a new key,
// a hash of another cost or that is forgotten, an owner that has its first key or none any more, the
// removal of what had ended for long, the prefixes that a role had, and the hints.
func (s *Store) OnChange(changed func(kind Kind, name string)) { s.changed = changed }

func (s *Store) tell(kind Kind, name string) {
	if s.changed != nil {
		s.changed(kind, name)
	}
}
