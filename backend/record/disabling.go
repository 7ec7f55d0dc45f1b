package record

// Disabling is what an update asks of a key's being disabled. A nil pointer is
// 'not given'.
type Disabling struct {
	Disabled *bool
	Reason   *string
}

const (
	errOperatorsDisabled Mistake = "the key was disabled on the operator's path: what it says of that is changed, and lifted, only there"
	errNotDisabled       Mistake = "disabled_reason goes with disabled=true"
)

// Apply disables or enables k. An operator's word stands above an owner's: it
// replaces what an owner said, and no owner's path changes or lifts it. It lifts
// both, so that what was written is what a read shows.
func (d Disabling) Apply(k *Key, byOwner bool, now Time) error {
	if byOwner && k.Disabled && !k.DisabledByOwner {
		return d.repeats(k)
	}
	disabled := k.Disabled
	assign(&disabled, d.Disabled)
	if !disabled {
		if d.Reason != nil && *d.Reason != "" {
			return errNotDisabled
		}
		k.Disabled, k.DisabledByOwner, k.DisabledAt, k.DisabledReason = false, false, 0, ""
		return nil
	}
	takenOver := d.Disabled != nil && k.DisabledByOwner && !byOwner
	if !k.Disabled || takenOver {
		k.Disabled, k.DisabledByOwner, k.DisabledAt, k.DisabledReason = true, byOwner, now, ""
	}
	assign(&k.DisabledReason, d.Reason)
	return CheckText("disabled_reason", k.DisabledReason, MaxReason)
}

// repeats refuses all but what says what k says already.
func (d Disabling) repeats(k *Key) error {
	if d.Disabled != nil && !*d.Disabled || d.Reason != nil && *d.Reason != k.DisabledReason {
		return errOperatorsDisabled
	}
	return nil
}
