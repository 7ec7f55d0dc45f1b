// Package seal encloses a text in an age file that only its recipients open, each
// of them alone: see age-encryption.org/v1.
//
// Recipients are public keys. Of those that filippo.io/age knows these are taken:
//
//	age1…       X25519
//	age1pq1…    hybrid: ML-KEM-768 with X25519
//	age1tag1…   P-256 in hardware
//	age1tagpq1… hybrid in hardware: ML-KEM-768 with P-256
//
// A plugin's recipient would have this process run a program that it names, and an
// ssh key is made to sign, so neither is taken. age writes the file, because a
// format of our own would have to be trusted, and because whoever is to open it
// has age already, or a hardware key that speaks it.
//
// What is sealed is secret, but nobody signs it: a file says nothing about who made
// it. Randomness is the operating system's, drawn by age.
package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
	"filippo.io/age/tag"
)

var (
	errUnknown = errors.New("no age recipient that begins with age1, age1pq1, age1tag1 or age1tagpq1 and is whole (a plugin's and an ssh key are not taken)")
	errUseless = errors.New("a recipient to whom nothing can be sealed")
)

// ErrMixed is returned when a post-quantum recipient stands beside one that is not:
// who breaks the one reads what the other guards.
var ErrMixed = errors.New("post-quantum recipients cannot stand beside others")

// Validate returns nil for a recipient in the one way in which it is written, and
// for anything else an error that says what is wrong, without the text itself: it
// may be the secret half, or a key.
func Validate(recipient string) error {
	r, err := parse(recipient)
	if err != nil {
		return err
	}
	// A point of low order parses.
	if _, err := age.Encrypt(io.Discard, r); err != nil {
		return errUseless
	}
	return nil
}

// Together returns nil for valid recipients of one file.
func Together(recipients []string) error {
	if _, err := encrypt(io.Discard, recipients); err != nil {
		return ErrMixed
	}
	return nil
}

// Text seals a text to recipients that are valid together, as an ASCII-armored file
// that holds the text and nothing else.
func Text(text string, recipients []string) (string, error) {
	var file bytes.Buffer
	armored := armor.NewWriter(&file)
	sealed, err := encrypt(armored, recipients)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	plain := []byte(text)
	defer clear(plain)
	_, err = sealed.Write(plain)
	if err := errors.Join(err, sealed.Close(), armored.Close()); err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return file.String(), nil
}

func encrypt(to io.Writer, recipients []string) (io.WriteCloser, error) {
	parsed := make([]age.Recipient, len(recipients))
	for i, text := range recipients {
		r, err := parse(text)
		if err != nil {
			return nil, err
		}
		parsed[i] = r
	}
	return age.Encrypt(to, parsed...)
}

// recipient is what each of age's parsers returns.
type recipient interface {
	age.Recipient
	String() string
}

// parse hides age's own errors, which hold the text. What is written differently,
// in capital letters for one, is another text for the same recipient, and refused.
func parse(text string) (r recipient, err error) {
	switch {
	case strings.HasPrefix(text, "age1pq1"):
		r, err = age.ParseHybridRecipient(text)
	case strings.HasPrefix(text, "age1tag1"), strings.HasPrefix(text, "age1tagpq1"):
		r, err = tag.ParseRecipient(text)
	default:
		r, err = age.ParseX25519Recipient(text)
	}
	if err != nil || r.String() != text {
		return nil, errUnknown
	}
	return r, nil
}
