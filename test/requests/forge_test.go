package requests

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/surface"
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func base62(n uint64, length int) string {
	text := make([]byte, length)
	for i := length - 1; i >= 0; i-- {
		text[i] = alphabet[n%62]
		n /= 62
	}
	return string(text)
}

// symbols are random.
func symbols(length int) string {
	text := make([]byte, length)
	rand.Read(text)
	for i, b := range text {
		text[i] = alphabet[int(b)%62]
	}
	return string(text)
}

func withCRC(text string) string { return text + base62(uint64(crc32.ChecksumIEEE([]byte(text))), 6) }

// tagKey is the mount's, as it lies in storage.
func tagKey(t *testing.T, e surface.Engine) []byte {
	t.Helper()
	var entry struct{ Record struct{ Secret string } }
	if err := json.Unmarshal([]byte(e.Stored(t)["tag-key"]), &entry); err != nil {
		t.Fatal(err)
	}
	secret, err := base64.StdEncoding.DecodeString(entry.Record.Secret)
	if err != nil || len(secret) != 32 {
		t.Fatalf("the stored tag key has %d bytes: %v", len(secret), err)
	}
	return secret
}

// forged is a text in the form of a key with a genuine tag, as nobody without the tag key can make one.
func forged(tagKey []byte, prefix, id, version, secret string) string {
	head := prefix + "_" + id + "_" + version + secret
	mac := hmac.New(sha256.New, tagKey)
	mac.Write([]byte(head))
	return withCRC(head + base62(binary.BigEndian.Uint64(mac.Sum(nil)), 11))
}

// parts are those of a key: its prefix, version and secret.
func parts(k surface.Key) (prefix, version, secret string) {
	prefix, body, _ := strings.Cut(k.Text, "_"+k.ID+"_")
	return prefix, body[:3], body[3:46]
}

// unproven are texts that are no key of the mount, each for another reason, by that reason.
func unproven(t *testing.T, e surface.Engine, k surface.Key) map[string]string {
	t.Helper()
	tags := tagKey(t, e)
	prefix, version, secret := parts(k)
	if forged(tags, prefix, k.ID, version, secret) != k.Text {
		t.Fatal("the test does not know how a key is made")
	}
	deleted := e.Issue(t, "web", "acme")
	e.Want(t, 204, "DELETE", "keys/"+deleted.ID, nil)
	head := k.Text[:len(k.Text)-17]
	return map[string]string{
		"no key at all":            "x",
		"half a key":               k.Text[:40],
		"a wrong crc":              k.Text[:len(k.Text)-1] + other(k.Text[len(k.Text)-1]),
		"a wrong tag":              withCRC(head + base62(7, 11)),
		"a tag out of range":       withCRC(head + "zzzzzzzzzzz"),
		"a wrong secret, its crc":  withCRC(prefix + "_" + k.ID + "_" + version + symbols(43) + k.Text[len(k.Text)-17:len(k.Text)-6]),
		"a wrong secret, its tag":  forged(tags, prefix, k.ID, version, symbols(43)),
		"an unknown id":            forged(tags, prefix, symbols(16), version, secret),
		"an unknown version":       forged(tags, prefix, k.ID, "002", secret),
		"version 0":                forged(tags, prefix, k.ID, "000", secret),
		"another prefix":           forged(tags, "other", k.ID, version, secret),
		"the key of another mount": surface.New(t, e.Server).Issue(t, "web", "acme").Text,
		"a key that was deleted":   deleted.Text,
		"256 bytes":                strings.Repeat("x", 256),
		"300 bytes":                k.Text + strings.Repeat("x", 300-len(k.Text)),
	}
}

// other is another symbol.
func other(symbol byte) string {
	if symbol == '0' {
		return "1"
	}
	return "0"
}
