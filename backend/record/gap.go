package record

// UsageGap is a time of which uses may not have reached storage. A process that
// flushed at 12:00 is killed at 12:20, and the next begins at 13:21: the gap is
// from 12:00 before 13:21, whether the flushes of 12:01 to 12:20 failed or nobody
// had anything to write. Under an idle_timeout of 25h a key last used the day
// before at 11:30 is not idle at 12:00, so it counts as used until 13:21 and ends
// at 14:21 the day after; one last used at 10:30 had ended by then, and stays so.
type UsageGap struct {
	From   Time `json:"from"`   // all uses were written by then
	Before Time `json:"before"` // the next process had begun by then
}

// UsageGaps are all gaps that may still matter, oldest first.
type UsageGaps []UsageGap

// maxGaps bounds how many crashes are told apart.
const maxGaps = 16

// Add is g with another gap. Where there are too many, the two oldest become one
// that spans both, which errs towards uses that were not.
func (g UsageGaps) Add(gap UsageGap) UsageGaps {
	added := append(append(UsageGaps(nil), g...), gap)
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
func (g UsageGaps) Credit(active Time, timeout Seconds) Time {
	for _, gap := range g {
		if active < gap.Before && active.Add(timeout) >= gap.From {
			active = gap.Before
		}
	}
	return active
}
