package wire

import (
	"fmt"
	"strings"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
)

// MaxKnown is how many records one Confirm names at most.
const MaxKnown = 4096

// Lengths of what a confirmation is made of.
const (
	IDLength          = apikey.IDLength
	FingerprintLength = 12 // of base64url
	heldLength        = IDLength + FingerprintLength
)

// Confirm asks which of these records are not what the asker thinks.
type Confirm struct {
	Nonce string `json:"nonce,omitempty"` // as of Ask
	Known string `json:"known"`           // as Join makes it
}

// Confirmed is the answer.
type Confirmed struct {
	Nonce   string   `json:"nonce"`
	Changed []string `json:"changed"` // ids of what is not there any more, or has another fingerprint
	Cursor  string   `json:"cursor"`  // no later than what was looked at
	Now     int64    `json:"now"`
}

// Held is a record that a gate holds.
type Held struct{ ID, Fingerprint string }

// Join is what is known, as one text: of thousands of objects the reading would cost
// more than the answer.
func Join(known []Held) string {
	var text strings.Builder
	text.Grow(len(known) * heldLength)
	for _, h := range known {
		text.WriteString(h.ID)
		text.WriteString(h.Fingerprint)
	}
	return text.String()
}

// Split reads what Join makes, and nothing else.
func Split(known string) ([]Held, error) {
	if len(known)%heldLength != 0 || len(known) > MaxKnown*heldLength {
		return nil, errKnown
	}
	held := make([]Held, 0, len(known)/heldLength)
	for ; known != ""; known = known[heldLength:] {
		h := Held{ID: known[:IDLength], Fingerprint: known[IDLength:heldLength]}
		if !apikey.ValidID(h.ID) || !isFingerprint(h.Fingerprint) {
			return nil, errKnown
		}
		held = append(held, h)
	}
	return held, nil
}

var errKnown = record.Mistake(fmt.Sprintf("known must be up to %d times a key id of %d characters and a fingerprint of %d, with nothing between", MaxKnown, IDLength, FingerprintLength))
