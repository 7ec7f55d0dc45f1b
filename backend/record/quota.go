package record

import "slices"

// Quota is what of a key's quota was given out, as storage holds it. It counts
// through the key's whole life, however its quota and windows change, and what
// was spent stays spent. Who reserves writes first and spends after, so a crash
// loses a reserved block and never overspends.
type Quota struct {
	Total int64  `json:"total"`          // units that were ever reserved
	By    string `json:"by"`             // who wrote last: the units that it has not spent yet are its own
	Until Time   `json:"until"`          // none of Total is spent at this time or later
	Lent  Time   `json:"lent,omitempty"` // nor by those that units were lent to
	Marks []Mark `json:"marks"`          // oldest first
}

// Mark tells that the first Total units were spent, or lost, before At. What
// were spent since any moment is answered by the last mark before it: exactly
// where no unit was spent in between, else with too many, never with too few.
type Mark struct {
	At    Time  `json:"at"`
	Total int64 `json:"total"`
}

// maxMarks bounds a quota's marks. They get sparser with age, so that they reach
// from seconds to years.
const maxMarks = 32

// Intact tells whether q has the part that every stored quota has, and counts
// nothing that was never reserved.
func (q Quota) Intact() bool {
	last := Mark{}
	for _, m := range q.Marks {
		if m.At <= last.At || m.Total < last.Total {
			return false
		}
		last = m
	}
	return q.By != "" && q.Until > 0 && q.Lent <= q.Until && q.Total >= last.Total
}

// Before is how many units are known to have been spent before a moment.
func (q Quota) Before(start Time) int64 {
	for i := len(q.Marks) - 1; i >= 0; i-- {
		if q.Marks[i].At <= start {
			return q.Marks[i].Total
		}
	}
	return 0
}

// Returned is q without units that were reserved at a moment and not spent. Which later
// marks count them nobody knows: each counts that many fewer, so that a window counts too
// much rather than too little.
func (q Quota) Returned(units int64, reserved Time) Quota {
	q.Total -= units
	marks, before := slices.Clone(q.Marks), int64(0)
	for i := range marks {
		m := &marks[i]
		if m.At > reserved {
			m.Total = max(before, m.Total-units)
		}
		m.Total = min(m.Total, q.Total)
		before = m.Total
	}
	q.Marks = marks
	return q
}

// Marked are the marks of q and a newer one. Those ahead of it were made by a
// clock that was wrong. The mark that a window's count begins from is kept.
func (q Quota) Marked(m Mark, start Time) []Mark {
	marks := make([]Mark, 0, len(q.Marks)+1)
	for _, old := range q.Marks {
		if old.At < m.At {
			marks = append(marks, old)
		}
	}
	if m.Total > 0 {
		marks = append(marks, m)
	}
	if len(marks) > maxMarks {
		i := dispensable(marks, start)
		marks = append(marks[:i], marks[i+1:]...)
	}
	return marks
}

// dispensable is the mark whose loss leaves the smallest gap for its age.
func dispensable(marks []Mark, start Time) (least int) {
	last := len(marks) - 1
	smallest := 0.0
	for i := 1; i < last; i++ {
		if marks[i].At <= start && start < marks[i+1].At {
			continue
		}
		gap := float64(marks[i+1].At-marks[i-1].At) / float64(marks[last].At-marks[i].At+1)
		if least == 0 || gap < smallest {
			least, smallest = i, gap
		}
	}
	return least
}
