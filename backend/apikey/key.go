package apikey

import (
	"strings"

	"vault-plugin-secrets-apikeys/backend/secret"
)

// The lengths of a key's parts, in bytes.
const (
	IDLength      = 16
	VersionLength = 3
	SecretLength  = 43 // 62^43 > 2^256
	TagLength     = 11 // 62^11 > 2^64
	CRCLength     = 6  // 62^6 > 2^32
	BodyLength    = VersionLength + SecretLength + TagLength + CRCLength

	MaxPrefixLength = 32

	// MaxLength is the size above which a text is not looked at. The longest
	// key has 113 bytes.
	MaxLength = 256

	// MaxVersion is the last version that three symbols can name: 62³ - 1.
	MaxVersion = 238327
)

// From a key's end back to where its parts begin.
const (
	crcFromEnd  = CRCLength
	tagFromEnd  = CRCLength + TagLength
	bodyFromEnd = BodyLength
	idFromEnd   = bodyFromEnd + 1 + IDLength
	minLength   = idFromEnd + 1 + 1
)

// Presented is a text that somebody presents as a key, whatever it is: it may be
// one. It is revealed to find out what it is, and for nothing else.
type Presented struct{ secret.Text }

// Present takes a text as a key that is presented.
func Present(text string) Presented { return Presented{secret.Keep("presented", text)} }

// A Key is the text of one key and the public parts that were read from it.
// It comes from [Generate] or [Parse]; the zero Key has no text. Setting the
// fields changes what is shown, never the text.
//
// Keys cannot be compared with ==, on purpose: equality of secrets is for
// constant-time code.
type Key struct {
	Prefix  string
	ID      string
	Version int

	text Presented
}

func newKey(p Presented) Key {
	text := p.Reveal()
	id := len(text) - idFromEnd
	body := len(text) - bodyFromEnd
	// A copy: caches hold ids for days, and a part of a text keeps all of it in memory.
	hint := strings.Clone(text[:body-1])
	return Key{
		Prefix:  hint[:id-1],
		ID:      hint[id:],
		Version: int(number(text[body : body+VersionLength])),
		text:    p,
	}
}

// Reveal returns the whole text, or "" for the zero Key. It is the way out for
// the one answer that shows a key to its holder, and for nothing else.
func (k Key) Reveal() string { return k.text.Reveal() }

// Presented returns the key as it is presented.
func (k Key) Presented() Presented { return k.text }

// HashInput returns the text up to the tag, or "" for the zero Key: what
// Argon2 hashes. It holds the secret and is to be treated as the key itself.
func (k Key) HashInput() string {
	text := k.Reveal()
	return text[:max(0, len(text)-tagFromEnd)]
}

// String returns the hint of the key, so that a key in a log line says which
// one it is and no more. The zero Key is "".
func (k Key) String() string {
	if k.text.None() {
		return ""
	}
	return Hint(k.Prefix, k.ID)
}

// GoString keeps %#v to the hint, too.
func (k Key) GoString() string { return "apikey.Key(" + k.String() + ")" }

// tag returns the tag as the text carries it, or "" for the zero Key.
func (k Key) tag() string {
	text := k.Reveal()
	return text[max(0, len(text)-tagFromEnd):max(0, len(text)-crcFromEnd)]
}
