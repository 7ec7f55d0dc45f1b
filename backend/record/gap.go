package record

// UsageGap is what crashes may have lost of the last uses: of a key that was last
// used before the end of the gap, as stored, a use up to Slack later may be
// missing.
type UsageGap struct {
	Before Time    `json:"before"`
	Slack  Seconds `json:"slack"`
}
