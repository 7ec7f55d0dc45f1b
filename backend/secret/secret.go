// Package secret holds texts that are shown to nobody by accident: no verb, encoder
// or logger can look into one.
package secret

import "errors"

// Text is a secret text; the zero Text is none. It is not compared with ==, on
// purpose: equality of secrets is for constant-time code.
//
// It is one word, because caches hold many.
type Text struct {
	// held is a function because neither fmt, nor an encoder, nor reflection can
	// read what a closure holds.
	held func() (kind, text string)
}

// Keep returns a text of this kind, which is all that is shown of it.
func Keep(kind, text string) Text {
	if text == "" {
		return Text{}
	}
	return Text{func() (string, string) { return kind, text }}
}

// Reveal returns the text. It is the one way out.
func (t Text) Reveal() string {
	_, text := t.open()
	return text
}

// None tells whether there is no text.
func (t Text) None() bool { return t.held == nil }

// String tells of what kind the text is, and nothing of it.
func (t Text) String() string {
	kind, _ := t.open()
	if kind == "" {
		return ""
	}
	return "[" + kind + "]"
}

// GoString keeps %#v to that, too.
func (t Text) GoString() string { return "secret.Text(" + t.String() + ")" }

// MarshalText fails: a secret that was stored or sent as something else would be
// lost, and as it is it would be told.
func (Text) MarshalText() ([]byte, error) { return nil, errors.New("a secret is not encoded") }

func (t Text) open() (kind, text string) {
	if t.None() {
		return "", ""
	}
	return t.held()
}
