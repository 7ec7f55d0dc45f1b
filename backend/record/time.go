package record

import "time"

// Time is a moment in whole seconds since the Unix epoch, UTC; 0 is 'never' or
// 'not yet'. Every time of a record is of this type: nothing finer is promised,
// and a comparison of whole seconds decides at the very second that an answer
// shows.
type Time int64

// At is the second that t lies in.
func At(t time.Time) Time { return Time(t.Unix()) }

// Add is t moved by whole seconds.
func (t Time) Add(s Seconds) Time { return t + Time(s) }

// Sub is the number of seconds from u to t.
func (t Time) Sub(u Time) Seconds { return Seconds(t - u) }

// Std is t as a time.Time; the zero Time is the zero time.Time.
func (t Time) Std() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.Unix(int64(t), 0).UTC()
}

// String is RFC 3339 in UTC, or "" for the zero Time.
func (t Time) String() string {
	if t == 0 {
		return ""
	}
	return t.Std().Format(time.RFC3339)
}

// Seconds is a duration in whole seconds.
type Seconds int64

// MaxSeconds is ten years, the longest duration that any field takes.
const MaxSeconds Seconds = 10 * 365 * 24 * 3600

// Std is s as a time.Duration.
func (s Seconds) Std() time.Duration { return time.Duration(s) * time.Second }

// InSeconds is d in whole seconds, rounded down.
func InSeconds(d time.Duration) Seconds { return Seconds(d / time.Second) }
