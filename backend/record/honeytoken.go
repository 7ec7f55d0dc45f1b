package record

import (
	"net/netip"
	"slices"

	"vault-plugin-secrets-apikeys/backend/apikey"
)

// Sightings are how often something was seen, when, and from where last, as far as
// gateways said.
type Sightings struct {
	Count    int64      `json:"count"`
	First    Time       `json:"first_at"`
	Last     Time       `json:"last_at"`
	ClientIP netip.Addr `json:"last_client_ip,omitzero"`
}

// See adds n that were seen, the last of them now.
func (s *Sightings) See(n int64, now Time, from netip.Addr) {
	s.Count = sum(s.Count, n)
	if s.First == 0 {
		s.First = now
	}
	s.Last = max(s.Last, now)
	if from.IsValid() {
		s.ClientIP = from
	}
}

// Honeytoken is a key that was planted to be found, and that is good for nothing. Of
// its text only the digest is kept.
type Honeytoken struct {
	KeyID       string    `json:"key_id"` // names no key
	Digest      []byte    `json:"digest"`
	Role        string    `json:"role"`
	Description string    `json:"description"`
	Disables    []Disable `json:"disables"`
	CreatedAt   Time      `json:"created_at"`
	Sightings
}

// Disable is a key that lies where a honeytoken lies, and is disabled by its use, once.
type Disable struct {
	KeyID string       `json:"key_id"`
	State DisableState `json:"state"`
}

// DisableState is how far that has come.
type DisableState string

// The states, each of which comes after the one before.
const (
	Armed   DisableState = "armed"
	Tripped DisableState = "tripped" // the honeytoken was used: the key is to be disabled
	Done    DisableState = "done"
)

// Bounds of honeytokens.
const (
	MaxHoneytokens = 1000
	MaxDisables    = 16
)

// Errors of honeytokens.
const (
	ErrHoneytokensFull Conflict = "there are as many honeytokens as a mount may have: 1000"
	ErrHoneytokenRole  Conflict = "the role of a honeytoken cannot be changed: its key has that role's prefix"
)

// Intact tells whether h has what it is recognised by.
func (h Honeytoken) Intact() bool { return len(h.Digest) == len(apikey.Digest{}) }

// Clone is h apart from it.
func (h *Honeytoken) Clone() Honeytoken {
	c := *h
	c.Disables = slices.Clone(h.Disables)
	return c
}

// Arm has the next use disable these keys. One that a use was to disable already still
// is.
func (h *Honeytoken) Arm(ids []string) error {
	if len(ids) > MaxDisables {
		return Mistakef("disables names more than %d keys", MaxDisables)
	}
	before := h.Disables
	h.Disables = nil
	for i, id := range ids {
		if !apikey.ValidID(id) || slices.Contains(ids[:i], id) {
			return Mistake("disables must be key_ids, each once")
		}
		d := Disable{id, Tripped}
		if !slices.Contains(before, d) {
			d.State = Armed
		}
		h.Disables = append(h.Disables, d)
	}
	return nil
}

// Trip has the keys that are armed disabled.
func (h *Honeytoken) Trip() {
	for i := range h.Disables {
		if d := &h.Disables[i]; d.State == Armed {
			d.State = Tripped
		}
	}
}
