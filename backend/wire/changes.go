package wire

import "strings"

// Poll asks what changed since a cursor, and waits for it.
type Poll struct {
	Cursor string `json:"cursor"` // "" at first
	Wait   int64  `json:"wait"`   // milliseconds, at most MaxWait
	// Nonce comes back in the answer: one without it is silence, whoever sent it.
	Nonce string `json:"nonce"`
	Gate  string `json:"gate"`
	Run   string `json:"run"` // random for each process of a gate
	// What the gate promises, in milliseconds, for those who ask which gates there are.
	MaxStaleness int64 `json:"max_staleness"`
	StaleGrace   int64 `json:"stale_grace"`
}

// Changes is the answer to a poll.
type Changes struct {
	Nonce  string `json:"nonce"`
	Cursor string `json:"cursor"` // where to go on
	// Reset tells that this process does not know the poll's cursor: nothing that is held
	// is confirmed.
	Reset   bool     `json:"reset"`
	Changes []string `json:"changes"` // names, as Name makes them
	More    bool     `json:"more"`    // the next poll should not wait
	Waited  int64    `json:"waited"`  // milliseconds from the arrival of the poll to this answer
	Now     int64    `json:"now"`     // the engine's clock, milliseconds since 1970
	Gates   int      `json:"gates"`   // how many polled lately
	Wait    int64    `json:"wait"`    // milliseconds that the engine asks to be polled with
}

// Bounds of the feed.
const (
	MaxWait    = 5000 // milliseconds: a parked poll holds up Vault's seal and step-down
	MaxChanges = 4096 // of an answer
)

// Kind is a kind of thing that changes.
type Kind string

// The kinds.
const (
	KeyKind   Kind = "key"   // by its id
	RoleKind  Kind = "role"  // by its name
	OwnerKind Kind = "owner" // by its name
	QuotaKind Kind = "quota" // by its key's id: whoever holds units of it should give them back
)

// Name is how a change is told.
func Name(kind Kind, name string) string { return string(kind) + ":" + name }

// Parse is what a name tells of; a kind that is not known here is told all the same.
func Parse(change string) (kind Kind, name string) {
	k, name, _ := strings.Cut(change, ":")
	return Kind(k), name
}
