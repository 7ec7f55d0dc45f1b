// Package opener is who opens what was sealed: one of each kind of age recipient, with
// its secret half. That of a recipient in hardware, which no library has, is played.
package opener

import (
	"crypto/ecdh"
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"filippo.io/age/tag"
	"filippo.io/hpke"
)

// Opener opens what is sealed to its recipient.
type Opener struct {
	Recipient string
	Identity  age.Identity
}

// Known is a recipient that can be written down beforehand. See Opened.
const Known = "age16c2rp0kk09960nhcs8wrl0k8fas034e42s4yl5066er04qz7u40qlq6qar"

const known = "AGE-SECRET-KEY-1ZWQS2N7MJQXTEMPHEV4L777HHLZL30K4QFXU0YWFAHFCH0EC7VRQ2K6ADU"

// Opened is what is sealed to Known, "" where it is not.
func Opened(sealed string) string {
	if sealed == "" {
		return ""
	}
	i, err := age.ParseX25519Identity(known)
	if err != nil {
		return ""
	}
	file, err := age.Decrypt(armor.NewReader(strings.NewReader(sealed)), i)
	if err != nil {
		return ""
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return ""
	}
	return string(text)
}

// X25519 is of the kind age1….
func X25519(t testing.TB) Opener {
	t.Helper()
	i, err := age.GenerateX25519Identity()
	must(t, err)
	return Opener{i.Recipient().String(), i}
}

// Hybrid is of the kind age1pq1….
func Hybrid(t testing.TB) Opener {
	t.Helper()
	i, err := age.GenerateHybridIdentity()
	must(t, err)
	return Opener{i.Recipient().String(), i}
}

// Tagged is of the kind age1tag1….
func Tagged(t testing.TB) Opener {
	t.Helper()
	secret, err := hpke.DHKEM(ecdh.P256()).GenerateKey()
	must(t, err)
	point := secret.PublicKey().Bytes() // 4, x, y; its short form is 2 or 3 by y's parity, x
	r, err := tag.NewClassicRecipient(append([]byte{2 + point[64]&1}, point[1:33]...))
	must(t, err)
	return Opener{r.String(), hardware{secret, "p256tag"}}
}

// TaggedHybrid is of the kind age1tagpq1….
func TaggedHybrid(t testing.TB) Opener {
	t.Helper()
	secret, err := hpke.MLKEM768P256().GenerateKey()
	must(t, err)
	r, err := tag.NewHybridRecipient(secret.PublicKey().Bytes())
	must(t, err)
	return Opener{r.String(), hardware{secret, "mlkem768p256tag"}}
}

// Open is what a sealed text holds. It is an armored age file, and nothing else.
func (o Opener) Open(t testing.TB, sealed string) string {
	t.Helper()
	if !strings.HasPrefix(sealed, armor.Header+"\n") || !strings.HasSuffix(sealed, "\n"+armor.Footer+"\n") {
		t.Fatal("what is sealed is no armored age file")
	}
	file, err := age.Decrypt(armor.NewReader(strings.NewReader(sealed)), o.Identity)
	must(t, err)
	text, err := io.ReadAll(file)
	must(t, err)
	return string(text)
}

// Opens tells whether the opener is one of those that it was sealed to.
func (o Opener) Opens(sealed string) bool {
	_, err := age.Decrypt(armor.NewReader(strings.NewReader(sealed)), o.Identity)
	return err == nil
}

// hardware finds its stanza by trying, where a device goes by the tag.
type hardware struct {
	secret hpke.PrivateKey
	kind   string
}

func (h hardware) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	for _, s := range stanzas {
		if s.Type != h.kind || len(s.Args) != 2 {
			continue
		}
		encapsulated, err := base64.RawStdEncoding.DecodeString(s.Args[1])
		if err != nil {
			return nil, err
		}
		r, err := hpke.NewRecipient(encapsulated, h.secret, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte("age-encryption.org/"+h.kind))
		if err != nil {
			return nil, err
		}
		if key, err := r.Open(nil, s.Body); err == nil {
			return key, nil
		}
	}
	return nil, age.ErrIncorrectIdentity
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
