package matrix

import (
	"bytes"
	"encoding/json"

	"vault-plugin-secrets-apikeys/backend/record"
)

// takenBack tells whether a key is as it was before a rotation that was withdrawn.
// What such a rotation has ended besides is not revived: a grace that was older
// than the version before.
func takenBack(now, before []byte) bool {
	var is, was struct {
		Record record.Key `json:"record"`
	}
	if json.Unmarshal(now, &is) != nil || json.Unmarshal(before, &was) != nil || is.Record.Withdrawn == 0 {
		return false
	}
	is.Record.Withdrawn = 0
	was.Record.Highest().Request = "" // no request makes that version again
	for i := 1; i < min(len(is.Record.Versions), len(was.Record.Versions)); i++ {
		if older := &is.Record.Versions[i]; older.ValidUntil < was.Record.Versions[i].ValidUntil {
			older.ValidUntil = was.Record.Versions[i].ValidUntil
		}
	}
	// As they are stored: two hashes are not compared by what holds them.
	a, errA := json.Marshal(is)
	b, errB := json.Marshal(was)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}
