package record

// UsageGap is the time before a crash whose uses may not have reached storage.
type UsageGap struct {
	Before Time    `json:"before"` // the next process had begun by then
	Slack  Seconds `json:"slack"`  // for how long before the crash nothing may have been written
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
	oldest, next := added[0], added[1]
	added[1] = UsageGap{Before: next.Before, Slack: next.Before.Sub(oldest.Before) + oldest.Slack}
	return added[1:]
}

// Credit is the latest moment at which a key may have been used that is known to
// have been active then. A key that had not been idle for its timeout when a gap
// began may have been used up to the crash: none must end too early for what was
// lost.
func (g UsageGaps) Credit(active Time, timeout Seconds) Time {
	for _, gap := range g {
		if active < gap.Before && active.Add(timeout) >= gap.Before.Add(-gap.Slack) {
			active = gap.Before
		}
	}
	return active
}
