package wire

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"vault-plugin-secrets-apikeys/backend/record"
)

// A fingerprint is the first 9 bytes of SHA-256 over what is shown of a record as it is
// stored, in base64url. What time does to a record by itself, and what was seen and is
// not written down yet, are no part of it: it changes with the record and by nothing
// else, so that it needs no clock and no other record. It guards against mistakes. Who
// could look for two records of one fingerprint can write records.
const fingerprintBytes = FingerprintLength / 4 * 3

// Fingerprint is that of a key.
func Fingerprint(stored *record.Key) string { return fingerprint(shape(stored)) }

func fingerprint(shown any) string {
	encoded, err := json.Marshal(shown)
	if err != nil {
		panic("what a gate is shown cannot be encoded") // it has no type that could fail
	}
	sum := sha256.Sum256(encoded)
	return base64.RawURLEncoding.EncodeToString(sum[:fingerprintBytes])
}

func isFingerprint(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '-', c == '_':
		default:
			return false
		}
	}
	return len(text) == FingerprintLength
}
