package matrix

import (
	"bytes"
	"encoding/json"

	"vault-plugin-secrets-apikeys/backend/record"
)

// takenBack tells whether a key is as it was before a rotation that was withdrawn.
// What such a rotation has ended besides is not revived: a grace that was older
// than the version before, and one that waited; nor does one that was presented wait
// again.
func takenBack(now, before []byte) bool {
	var is, was struct {
		Record record.Key `json:"record"`
	}
	if json.Unmarshal(now, &is) != nil || json.Unmarshal(before, &was) != nil || is.Record.Withdrawn == 0 {
		return false
	}
	is.Record.Withdrawn = 0
	was.Record.Highest().Request = "" // no request makes that version again
	if p := was.Record.Pending(); p != nil {
		if v := is.Record.Find(p.Number); v != nil && v.ActivatedAt != 0 {
			was.Record.Settle(v.ActivatedAt, v.ActivatedAt)
		}
	}
	for i := range min(len(is.Record.Versions), len(was.Record.Versions)) {
		older, before := &is.Record.Versions[i], was.Record.Versions[i]
		switch {
		case before.Waits() && older.CancelledAt != 0:
			*older = before
		case i > 0 && older.ValidUntil < before.ValidUntil:
			older.ValidUntil = before.ValidUntil
		}
	}
	// As they are stored: two hashes are not compared by what holds them.
	a, errA := json.Marshal(is)
	b, errB := json.Marshal(was)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}
