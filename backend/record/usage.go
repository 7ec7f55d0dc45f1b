package record

import (
	"net/netip"
	"slices"
	"strings"

	"vault-plugin-secrets-apikeys/backend/apikey"
)

// Usage is what was decided of a subject, ever or since the last flush. What was
// decided later is added to it, never taken away.
type Usage struct {
	Uses          // the versions of a key only
	First Time    `json:"first,omitempty"` // use
	Codes Codes   `json:"codes,omitempty"`
	Hours Windows `json:"hours,omitempty"`
	Days  Windows `json:"days,omitempty"`
	// ClientIP is from where a key was used last, as far as gateways said.
	ClientIP netip.Addr `json:"client_ip,omitzero"`
}

// Codes are how many decisions had which code.
type Codes []CodeCount

// CodeCount is how many decisions had one code.
type CodeCount struct {
	Code  string `json:"code"`
	Count int64  `json:"count"`
}

func (cs *Codes) add(code string, n int64) {
	for i := range *cs {
		if c := &(*cs)[i]; c.Code == code {
			c.Count = sum(c.Count, n)
			return
		}
	}
	*cs = append(*cs, CodeCount{code, n})
}

// most bounds each count. Gates tell of any number, and sums of counts overflow nothing.
const most = 1 << 53

func sum(a, b int64) int64 { return min(a+min(b, most), most) }

// Total is how many decisions there were.
func (cs Codes) Total() (n int64) {
	for _, c := range cs {
		n += c.Count
	}
	return n
}

// Decided is a decision that was answered.
type Decided struct {
	Code     string
	Valid    bool
	At       Time
	Version  int        // of a proven key
	ClientIP netip.Addr // the zero Addr when the gateway did not say
	Like     int64      // how many more there were, all alike
	Late     bool       // it is no use: the key had ended before anybody told of it
}

// Count adds a decision, which is one of its hour and of its day.
func (u *Usage) Count(d Decided) {
	n := sum(1, d.Like)
	u.Codes.add(d.Code, n)
	w := Window{At: d.At, Refused: n}
	if d.Valid {
		w.Valid, w.Refused = n, 0
	}
	if d.Valid && !d.Late {
		u.Use(d.Version, d.At)
		if d.ClientIP.IsValid() {
			u.ClientIP = d.ClientIP
		}
	}
	u.Hours.add(w, Hour)
	u.Days.add(w, Day)
}

// Use notes a use, which is the first or the last.
func (u *Usage) Use(version int, at Time) {
	u.Uses.Use(version, at)
	if u.First == 0 || at < u.First {
		u.First = at
	}
}

// Add adds what was decided later, as far as it is kept of the subject.
func (u *Usage) Add(later Usage, of Subject) {
	if later.First != 0 {
		u.Use(0, later.First)
	}
	u.Uses.Use(0, later.Last)
	for _, c := range later.Codes {
		u.Codes.add(c.Code, c.Count)
	}
	hours, days := of.Windows()
	u.Hours.merge(later.Hours, Hour, hours)
	u.Days.merge(later.Days, Day, days)
	if _, isKey := of.Key(); isKey {
		u.add(later.Uses)
		if later.ClientIP.IsValid() {
			u.ClientIP = later.ClientIP
		}
	}
}

// Lately tells whether anything was decided within the days that are shown.
func (u *Usage) Lately(now Time, of Subject) bool {
	_, days := of.Windows()
	return slices.ContainsFunc(u.Days.Until(now, Day, days), func(w Window) bool { return w.Total() > 0 })
}

// Clone is u apart from it: Add leaves it as it is.
func (u *Usage) Clone() Usage {
	c := *u
	c.Versions, c.Codes = slices.Clone(u.Versions), slices.Clone(u.Codes)
	c.Hours, c.Days = slices.Clone(u.Hours), slices.Clone(u.Days)
	return c
}

// Date moves all times to what dated says of them, and tells whether any moved.
func (u *Usage) Date(dated func(Time) Time) (moved bool) {
	date := func(t *Time) {
		at := dated(*t)
		*t, moved = at, moved || at != *t
	}
	date(&u.Last)
	date(&u.First)
	for i := range u.Versions {
		date(&u.Versions[i].At)
	}
	for _, of := range []struct {
		windows *Windows
		length  Seconds
	}{{&u.Hours, Hour}, {&u.Days, Day}} {
		before := *of.windows
		*of.windows = nil
		for _, w := range before {
			date(&w.At)
			of.windows.add(w, of.length)
		}
	}
	return moved
}

// Subject is whose decisions are counted: a key's, an owner's, or all.
type Subject string

// Mount is the subject of all decisions, also of texts that are no key.
const Mount Subject = "mount"

const (
	ofKey   = "key/"
	ofOwner = "owner/"
)

// OfKey is the subject of a key's decisions.
func OfKey(id string) Subject { return Subject(ofKey + id) }

// OfOwner is the subject of the decisions of all keys of an owner.
func OfOwner(name string) Subject { return Subject(ofOwner + name) }

// Key is the id of the key that s is.
func (s Subject) Key() (id string, isKey bool) { return strings.CutPrefix(string(s), ofKey) }

// Owner is the name of the owner that s is.
func (s Subject) Owner() (name string, isOwner bool) {
	return strings.CutPrefix(string(s), ofOwner)
}

// Valid tells whether s is one of these.
func (s Subject) Valid() bool {
	if id, isKey := s.Key(); isKey {
		return apikey.ValidID(id)
	}
	name, isOwner := s.Owner()
	return isOwner && ValidName(name) || s == Mount
}

// Windows is how many hours and days are kept, and shown: of a key and an owner the
// month that a customer asks for, of the mount a quarter, and two days by the hour.
func (s Subject) Windows() (hours, days int) {
	if s == Mount {
		return 48, 90
	}
	return 0, 31
}
