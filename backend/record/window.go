package record

import "slices"

// The lengths of windows, which begin on the hour and at midnight, UTC.
const (
	Hour Seconds = 3600
	Day          = 24 * Hour
)

// Window is what was decided within an hour or a day.
type Window struct {
	// At is when the last of it was decided. By its beginning nobody could tell a
	// window of a clock that was ahead for a minute from one that is right.
	At      Time  `json:"at"`
	Valid   int64 `json:"valid,omitempty"`
	Refused int64 `json:"refused,omitempty"`
}

// Total is all that was decided.
func (w Window) Total() int64 { return w.Valid + w.Refused }

// Windows are those of one length in which anything was decided, oldest first.
type Windows []Window

// start is when the window began that t lies in.
func (t Time) start(length Seconds) Time { return t - t%Time(length) }

// add counts what was decided in a window, or in a part of it.
func (ws *Windows) add(w Window, length Seconds) {
	i, start := len(*ws), w.At.start(length)
	for i > 0 && (*ws)[i-1].At.start(length) > start {
		i--
	}
	if i == 0 || (*ws)[i-1].At.start(length) < start {
		*ws = slices.Insert(*ws, i, w)
		return
	}
	same := &(*ws)[i-1]
	same.At = max(same.At, w.At)
	same.Valid = sum(same.Valid, w.Valid)
	same.Refused = sum(same.Refused, w.Refused)
}

// merge counts what was decided in other windows, and keeps the newest few. They are
// told by their number and not by today's date: by a clock that is a year ahead for a
// while all that came before would be too old.
func (ws *Windows) merge(others Windows, length Seconds, most int) {
	if most == 0 {
		return
	}
	for _, w := range others {
		ws.add(w, length)
	}
	if n := len(*ws) - most; n > 0 {
		*ws = slices.Delete(*ws, 0, n)
	}
}

// Until are the windows up to the one that now lies in, without gaps, as many as
// there were and at most so many. At is when each begins.
func (ws Windows) Until(now Time, length Seconds, most int) Windows {
	if len(ws) == 0 {
		return nil
	}
	last := now.start(length)
	first := max(ws[0].At.start(length), last.Add(-length*Seconds(most-1)))
	var all Windows
	for start := first; start <= last; start = start.Add(length) {
		all = append(all, Window{At: start})
	}
	for _, w := range ws {
		if i := w.At.start(length).Sub(first) / length; i >= 0 && int(i) < len(all) {
			all[i].Valid, all[i].Refused = w.Valid, w.Refused
		}
	}
	return all
}
