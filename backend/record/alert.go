package record

import "slices"

// Alert is something that an operator should look at. There is one of a kind and of
// whom it is about, from its first sighting until somebody acknowledges it.
type Alert struct {
	Kind       AlertKind `json:"kind"`
	Severity   Severity  `json:"severity"`
	KeyID      string    `json:"key_id,omitempty"`
	Honeytoken string    `json:"honeytoken,omitempty"`
	Sightings
	// Hits are all of the honeytoken, with the last that is counted here.
	Hits    int64    `json:"hits,omitempty"`
	Actions []Action `json:"actions,omitempty"`
}

// AlertKind is what an alert is about.
type AlertKind string

// The kinds of alerts.
const (
	HoneytokenUsed AlertKind = "honeytoken_used"
	EndedKeyUsed   AlertKind = "ended_key_used" // one that was revoked or superseded
	ForgedKeys     AlertKind = "forged_keys"
	KeyRefusals    AlertKind = "key_refusals"
)

// AlertKinds are all.
func AlertKinds() []AlertKind {
	return []AlertKind{HoneytokenUsed, EndedKeyUsed, ForgedKeys, KeyRefusals}
}

// Severity is how much an alert matters.
type Severity string

// The severities.
const (
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// MaxAlerts bounds the open alerts of each kind that strangers and holders of keys can
// raise.
const MaxAlerts = 1000

// Action is what was done about an alert.
type Action struct {
	KeyID  string `json:"key_id"`
	Result string `json:"result"`
}

// Name is by which the alert is found: the same for the same kind and subject.
func (a *Alert) Name() string {
	switch {
	case a.Honeytoken != "":
		return HoneytokenAlert(a.Honeytoken)
	case a.KeyID != "":
		return string(a.Kind) + "." + a.KeyID
	default:
		return string(a.Kind)
	}
}

// HoneytokenAlert is the name of the alert about a honeytoken.
func HoneytokenAlert(name string) string { return string(HoneytokenUsed) + "." + name }

// Intact tells whether a is of a kind that there is.
func (a Alert) Intact() bool { return slices.Contains(AlertKinds(), a.Kind) && a.Severity != "" }

// Clone is a apart from it.
func (a *Alert) Clone() Alert {
	c := *a
	c.Actions = slices.Clone(a.Actions)
	return c
}

// Did notes what became of a key. Done again after a crash, it is noted once.
func (a *Alert) Did(done Action) {
	a.Actions = slices.DeleteFunc(a.Actions, func(before Action) bool { return before.KeyID == done.KeyID })
	a.Actions = append(a.Actions, done)
}
