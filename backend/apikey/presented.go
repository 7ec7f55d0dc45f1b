package apikey

import "errors"

// Presented is a text that somebody presents as a key, whatever it is: it may be
// one. No verb, encoder or logger can look into it.
type Presented struct {
	// text is a function because neither fmt, nor an encoder, nor reflection
	// can read what a closure holds.
	text func() string
}

// Present takes a text as a key that is presented.
func Present(text string) Presented {
	if text == "" {
		return Presented{}
	}
	return Presented{func() string { return text }}
}

// Reveal returns the text. It is the way to find out what it is, and for nothing
// else.
func (p Presented) Reveal() string {
	if p.text == nil {
		return ""
	}
	return p.text()
}

// None tells whether nothing is presented.
func (p Presented) None() bool { return p.text == nil }

// String tells whether there is a text, and nothing of it.
func (p Presented) String() string {
	if p.None() {
		return ""
	}
	return "[presented]"
}

// GoString keeps %#v to that, too.
func (p Presented) GoString() string { return "apikey.Presented(" + p.String() + ")" }

// MarshalText fails: nothing that stores or sends a key gets it from here.
func (Presented) MarshalText() ([]byte, error) {
	return nil, errors.New("a presented key is not encoded")
}
