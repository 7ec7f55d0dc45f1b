package keyhash

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"vault-plugin-secrets-apikeys/backend/secret"
)

// ErrMalformed is returned when a stored hash cannot be read: it is not in the
// form that this package writes, or its costs are out of bounds. It is a fault
// of the record and never means that a key is wrong.
var ErrMalformed = errors.New("malformed argon2id hash")

const (
	saltLength = 16 // RFC 9106 section 4: 128 bits
	hashLength = 32 // RFC 9106 section 4: 256 bits

	phcHead = "$argon2id$v=19$" // 19 = 0x13, RFC 9106 section 3.1
)

// phcBase64 refuses spare bits in the last symbol, which would give one hash
// several texts.
var phcBase64 = base64.RawStdEncoding.Strict()

// A PHC is a hash as it is stored; the zero PHC is none. It is revealed to storage,
// and to nobody else.
type PHC struct{ secret.Text }

// Stored returns the hash with this text. Whether it is one shows where it is used.
func Stored(text string) PHC { return PHC{secret.Keep("hash", text)} }

// Elsewhere stands for a hash that is kept, and not here. It is not none, and malformed
// to all that look at it: no key matches it.
func Elsewhere() PHC { return elsewhere }

var elsewhere = Stored("elsewhere")

// Equal tells whether both are the same hash.
func (p PHC) Equal(other PHC) bool {
	a, b := p.Reveal(), other.Reveal()
	return len(a) == len(b) && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// decoded is what the text of a hash says.
type decoded struct {
	params Params
	salt   [saltLength]byte
	hash   [hashLength]byte
}

// decode reads what encode writes, byte for byte, and nothing else.
func decode(text string) (decoded, error) {
	params, rest, ok := cutParams(text)
	if !ok {
		return decoded{}, ErrMalformed
	}
	h := decoded{params: params}
	salt, hash, ok := strings.Cut(rest, "$")
	if !ok || !decodeExactly(h.salt[:], salt) || !decodeExactly(h.hash[:], hash) {
		return decoded{}, ErrMalformed
	}
	return h, nil
}

// decodeExactly fills dst from text. The check of the length matters: it
// leaves no room for the line breaks that encoding/base64 skips.
func decodeExactly(dst []byte, text string) bool {
	if len(text) != phcBase64.EncodedLen(len(dst)) {
		return false
	}
	n, err := phcBase64.Decode(dst, []byte(text))
	return err == nil && n == len(dst)
}

// cutParams reads the costs and returns what stands behind them.
func cutParams(text string) (p Params, rest string, ok bool) {
	rest, ok = strings.CutPrefix(text, phcHead)
	if !ok {
		return Params{}, "", false
	}
	p.MemoryKiB, rest, ok = cutNumber(rest, "m=", ',')
	if ok {
		p.Iterations, rest, ok = cutNumber(rest, "t=", ',')
	}
	var parallelism uint32
	if ok {
		parallelism, rest, ok = cutNumber(rest, "p=", '$')
	}
	if !ok || parallelism > MaxParallelism { // else the conversion to a byte below would wrap
		return Params{}, "", false
	}
	p.Parallelism = uint8(parallelism)
	return p, rest, p.computable()
}

// cutNumber reads name, a decimal number without leading zeros and end. Six
// digits are all that any bound needs, so nothing overflows.
func cutNumber(text, name string, end byte) (n uint32, rest string, ok bool) {
	text, ok = strings.CutPrefix(text, name)
	if !ok {
		return 0, "", false
	}
	for i := range min(len(text), 7) {
		c := text[i]
		switch {
		case c == end && i > 0:
			return n, text[i+1:], true
		case c < '0' || c > '9' || c == '0' && i == 0:
			return 0, "", false
		}
		n = n*10 + uint32(c-'0')
	}
	return 0, "", false
}

func (h decoded) encode() string {
	p := h.params
	return fmt.Sprintf(phcHead+"m=%d,t=%d,p=%d$%s$%s", p.MemoryKiB, p.Iterations, p.Parallelism,
		phcBase64.EncodeToString(h.salt[:]), phcBase64.EncodeToString(h.hash[:]))
}

// NeedsRehash reports whether a hash was made with other costs than want and
// may be replaced: never by one of less memory × iterations than it has, so
// that a lowered configuration weakens no key. A malformed hash needs none,
// since nothing can match it. It is called on every verification, and does
// not allocate.
func NeedsRehash(phc PHC, want Params) bool {
	have, _, ok := cutParams(phc.Reveal())
	return ok && have != want && want.Cost() >= have.Cost()
}
