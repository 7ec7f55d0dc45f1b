package record

// Quota is what a key's quota has given out, as storage holds it: everything
// that was reserved, spent or not. Who reserves writes first and spends after,
// so a crash loses a reserved block and never overspends.
type Quota struct {
	Reserved int64 `json:"reserved"`
	At       Time  `json:"at"` // when the last block was reserved; tells which window it belongs to
}

// Intact tells whether q has the part that every stored quota has, and counts
// nothing that was never reserved.
func (q Quota) Intact() bool { return q.At > 0 && q.Reserved >= 0 }

// In is the quota as it counts in the window that began at start: nothing was
// reserved in it if the last reservation is older.
func (q Quota) In(start Time) Quota {
	if q.At < start {
		return Quota{}
	}
	return q
}
