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
func Parse(p Presented) (Key, error) {
	if !WellFormed(p.Reveal()) {
		return Key{}, ErrMalformed
	}
	return newKey(p), nil
}

// WellFormed tells whether Parse accepts a text.
//
// It works from the right, where all lengths are fixed, because the prefix may
// hold any number of underscores.
func WellFormed(text string) bool {
	n := len(text)
	if n > MaxLength || n < minLength {
		return false
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
		return false
	}
	var crc [CRCLength]byte
	putCRC(crc[:], []byte(text[:n-crcFromEnd]))
	return string(crc[:]) == text[n-crcFromEnd:]
}

// putCRC writes the crc of everything before it.
func putCRC(dst, before []byte) {
	putNumber(dst, uint64(crc32.ChecksumIEEE(before)))
}
