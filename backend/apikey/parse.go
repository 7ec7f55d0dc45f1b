package apikey

import (
	"errors"
	"hash/crc32"
)

// ErrMalformed is returned when a text is not a key. There is no detail: to
// whoever guesses, all wrong texts look the same.
var ErrMalformed = errors.New("malformed key")

// Parse reads a key by its exact grammar. Whatever it accepts, Reveal gives
// back byte for byte. It checks the crc but not the tag: see [TagKey.Genuine].
//
// It works from the right, where all lengths are fixed, because the prefix may
// hold any number of underscores.
func Parse(text string) (Key, error) {
	n := len(text)
	if n > MaxLength || n < minLength {
		return Key{}, ErrMalformed
	}
	body := text[n-bodyFromEnd:]
	switch {
	case text[n-bodyFromEnd-1] != '_',
		text[n-idFromEnd-1] != '_',
		!ValidPrefix(text[:n-idFromEnd-1]),
		!ValidID(text[n-idFromEnd : n-bodyFromEnd-1]),
		!allSymbols(body),
		body[:VersionLength] == "000",
		text[n-tagFromEnd:n-crcFromEnd] > maxTag:
		return Key{}, ErrMalformed
	}
	var crc [CRCLength]byte
	putCRC(crc[:], []byte(text[:n-crcFromEnd]))
	if string(crc[:]) != text[n-crcFromEnd:] {
		return Key{}, ErrMalformed
	}
	return newKey(text), nil
}

// putCRC writes the crc of everything before it.
func putCRC(dst, before []byte) {
	putNumber(dst, uint64(crc32.ChecksumIEEE(before)))
}
