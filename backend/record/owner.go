package record

// Owner is whom keys are issued to. Its record exists from its first key, or its
// first stop, on.
type Owner struct {
	Stop
}

// Stop is the mark of an emergency stop, on an owner or a role. What was issued
// under an earlier generation is revoked; no clock decides. The mark outlives
// every record that it ends.
type Stop struct {
	Generation uint64 `json:"generation"`
	StoppedAt  Time   `json:"stopped_at"` // for people, and for how long ended keys are kept
	StopReason string `json:"stop_reason"`
}

// Raise stops everything issued so far.
func (s *Stop) Raise(reason string, now Time) {
	s.Generation++
	s.StoppedAt, s.StopReason = now, reason
}
