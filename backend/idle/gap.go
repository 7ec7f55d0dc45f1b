package idle

import "vault-plugin-secrets-apikeys/backend/record"

// Gap is a time of which uses may not have reached storage: from the last flush
// that succeeded to the birth of the next process, whether flushes failed in
// between or nobody had anything to write.
type Gap struct {
	From   record.Time `json:"from"`   // all uses were written by then
	Before record.Time `json:"before"` // the next process had begun by then
}

// Gaps are all gaps that may still matter, oldest first.
type Gaps []Gap

// maxGaps bounds how many crashes are told apart.
const maxGaps = 16

// Add is g with another gap. Where there are too many, the two oldest become one
// that spans both, which errs towards uses that were not.
func (g Gaps) Add(gap Gap) Gaps {
	added := append(append(Gaps(nil), g...), gap)
	if len(added) <= maxGaps {
		return added
	}
	added[1].From = min(added[0].From, added[1].From)
	return added[1:]
}

// Credit is the latest moment at which a key may have been used that is known to
// have been active then. A key that had not been idle for its timeout when a gap
// began may have been used up to its end: none must end too early for what was
// lost.
func (g Gaps) Credit(active record.Time, timeout record.Seconds) record.Time {
	for _, gap := range g {
		if active < gap.Before && active.Add(timeout) >= gap.From {
			active = gap.Before
		}
	}
	return active
}
