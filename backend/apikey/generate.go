package apikey

import (
	"bytes"
	"errors"
	"io"
)

// NewID returns a random id. Ids are public; that they are random keeps them
// from colliding between mounts and from telling how many keys there are.
func NewID(rand io.Reader) (string, error) {
	var id [IDLength]byte
	if err := drawSymbols(rand, id[:]); err != nil {
		return "", err
	}
	return string(id[:]), nil
}

// idEntropy is four times what an id needs, because one byte in 32 is thrown away
// and there are no more to come.
const idEntropy = 4 * IDLength

// IDFor returns the id of the key that a request makes: the same for the same
// request, so that one which is run again finds what its first run left, and as
// good as random to all who do not have the tag key.
func (tk *TagKey) IDFor(request string) (string, error) {
	if !tk.usable() {
		return "", errors.New("make an id: no tag key")
	}
	random, err := tk.derive("key id of request "+request, idEntropy)
	if err != nil {
		return "", err
	}
	return NewID(bytes.NewReader(random))
}

// Generate makes the key of this prefix, id and version with a fresh secret.
// rand is the operating system's CSPRNG everywhere but in tests. It fails when
// an argument is outside the grammar or when rand fails.
func Generate(rand io.Reader, tk *TagKey, prefix, id string, version int) (Key, error) {
	switch {
	case !tk.usable():
		return Key{}, errors.New("generate key: no tag key")
	case !ValidPrefix(prefix):
		return Key{}, errors.New("generate key: invalid prefix")
	case !ValidID(id):
		return Key{}, errors.New("generate key: invalid id")
	case version < 1 || version > MaxVersion:
		return Key{}, errors.New("generate key: version out of range")
	}
	length := len(prefix) + 1 + idFromEnd
	text := make([]byte, 0, length)
	text = append(text, prefix...)
	text = append(text, '_')
	text = append(text, id...)
	text = append(text, '_')
	body := len(text)
	text = text[:length]
	defer clear(text) // the string below is the only copy that stays

	secret := body + VersionLength
	putNumber(text[body:secret], uint64(version))
	if err := drawSymbols(rand, text[secret:secret+SecretLength]); err != nil {
		return Key{}, err
	}
	tag, crc := length-tagFromEnd, length-crcFromEnd
	putTag(text[tag:crc], tk.sum(string(text[:tag])))
	putCRC(text[crc:], text[:crc])
	return newKey(Present(string(text))), nil
}
