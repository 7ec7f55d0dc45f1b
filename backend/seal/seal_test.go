package seal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"filippo.io/age/plugin"

	"vault-plugin-secrets-apikeys/trials/opener"
)

const secret = "acme_live_3kTMd9Xq2LwVb7Rc_001Kq"

func TestEachRecipientOpensItAlone(t *testing.T) {
	for name, those := range map[string][]opener.Opener{
		"one":                      {opener.X25519(t)},
		"as many as there may be":  {opener.X25519(t), opener.X25519(t), opener.X25519(t), opener.X25519(t), opener.X25519(t), opener.X25519(t), opener.X25519(t), opener.X25519(t)},
		"a hybrid":                 {opener.Hybrid(t)},
		"hybrids":                  {opener.Hybrid(t), opener.TaggedHybrid(t), opener.Hybrid(t)},
		"hardware":                 {opener.Tagged(t)},
		"hardware beside software": {opener.X25519(t), opener.Tagged(t)},
	} {
		t.Run(name, func(t *testing.T) {
			var to []string
			for _, o := range those {
				if err := Validate(o.Recipient); err != nil {
					t.Fatal(err)
				}
				to = append(to, o.Recipient)
			}
			if err := Together(to); err != nil {
				t.Fatal(err)
			}
			sealed, err := Text(secret, to)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range those {
				if got := o.Open(t, sealed); got != secret {
					t.Errorf("it holds %q", got)
				}
			}
			if opener.X25519(t).Opens(sealed) || opener.Hybrid(t).Opens(sealed) {
				t.Error("another opens it")
			}
			if again, _ := Text(secret, to); again == sealed || strings.Contains(sealed, secret) {
				t.Error("it is not sealed")
			}
		})
	}
}

func TestPostQuantumRecipientsStandAlone(t *testing.T) {
	pq, tagpq, x, hardware := opener.Hybrid(t).Recipient, opener.TaggedHybrid(t).Recipient, opener.X25519(t).Recipient, opener.Tagged(t).Recipient
	for _, mixed := range [][]string{{pq, x}, {x, pq}, {tagpq, hardware}, {hardware, x, pq}} {
		if err := Together(mixed); !errors.Is(err, ErrMixed) {
			t.Errorf("%.12q: %v", mixed, err)
		}
		if sealed, err := Text(secret, mixed); err == nil || sealed != "" {
			t.Errorf("%.12q: sealed", mixed)
		}
	}
	if sealed, err := Text(secret, nil); err == nil || sealed != "" {
		t.Error("sealed to nobody")
	}
}

// lowOrder is a recipient to whom nothing can be sealed: zero, of which every product
// is zero.
const lowOrder = "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z"

// useless are texts that are no recipients, by what they are.
func useless(t testing.TB) map[string]string {
	x := opener.X25519(t)
	pq := opener.Hybrid(t).Recipient
	identity := fmt.Sprint(x.Identity)
	return map[string]string{
		"nothing":              "",
		"a key":                secret,
		"an identity":          identity,
		"its capital letters":  strings.ToUpper(x.Recipient),
		"white space":          x.Recipient + "\n",
		"white space before":   " " + x.Recipient,
		"a wrong letter":       x.Recipient[:20] + "b" + x.Recipient[21:],
		"half of one":          pq[:len(pq)/2],
		"a comment":            "# " + x.Recipient,
		"two":                  x.Recipient + "," + x.Recipient,
		"a plugin's":           plugin.EncodeRecipient("yubikey", make([]byte, 33)),
		"a plugin's tag":       plugin.EncodeRecipient("tags", make([]byte, 33)),
		"a tag without point":  plugin.EncodeRecipient("tag", make([]byte, 33)),
		"a short hybrid":       plugin.EncodeRecipient("pq", make([]byte, 32)),
		"a hybrid of nonsense": plugin.EncodeRecipient("pq", slices.Repeat([]byte{0xff}, 1216)),
		"hardware of nonsense": plugin.EncodeRecipient("tagpq", slices.Repeat([]byte{0xff}, 1249)),
		"ssh":                  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFyh4bVE5i1vXlGpVvXhHxQm4QvVvQeJc8iYlIXc9nQw",
		"a passphrase":         "scrypt",
		"long":                 "age1" + strings.Repeat("q", 1<<20),
	}
}

func TestNothingElseIsARecipientAndNothingIsEchoed(t *testing.T) {
	for name, text := range useless(t) {
		err := Validate(text)
		switch {
		case err == nil:
			t.Errorf("%s is taken", name)
		case len(text) >= 12 && strings.Contains(err.Error(), text[:12]), len(err.Error()) > 200:
			t.Errorf("%s is echoed: %.200v", name, err)
		}
		if _, err := Text(secret, []string{text}); err == nil || len(text) >= 12 && strings.Contains(err.Error(), text[:12]) {
			t.Errorf("%s: %.200v", name, err)
		}
	}
}

func TestAPointOfLowOrderIsNoRecipient(t *testing.T) {
	if _, err := parse(lowOrder); err != nil {
		t.Fatal("it does not even parse")
	}
	if err := Validate(lowOrder); !errors.Is(err, errUseless) {
		t.Errorf("it is %v", err)
	}
}

func FuzzRecipient(f *testing.F) {
	for _, o := range []opener.Opener{opener.X25519(f), opener.Hybrid(f), opener.Tagged(f), opener.TaggedHybrid(f)} {
		f.Add(o.Recipient)
	}
	for _, text := range useless(f) {
		f.Add(text)
	}
	f.Add(lowOrder)
	f.Fuzz(func(t *testing.T, text string) {
		err := Validate(text)
		if err != nil {
			if err != errUnknown && err != errUseless {
				t.Errorf("an error of another's making: %v", err)
			}
			return
		}
		if r, err := parse(text); err != nil || r.String() != text {
			t.Error("a recipient that is written in two ways")
		}
		sealed, err := Text(secret, []string{text})
		if err != nil || Together([]string{text}) != nil || strings.Contains(sealed, secret) {
			t.Errorf("a recipient to whom nothing can be sealed: %v", err)
		}
	})
}
