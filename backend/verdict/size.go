package verdict

import "vault-plugin-secrets-apikeys/backend/verify"

// MostBrief is how long a brief answer, that to an unproven key or an error may
// become in JSON.
const MostBrief = 256

// fixedBytes is what the names, numbers and times of an answer take at the most.
const fixedBytes = 768

// Most is how long the answer about a key may become in JSON.
func Most(d *verify.Description) int {
	size := fixedBytes + encodedBytes(d.Key.ID) + encodedBytes(d.Key.Owner) + encodedBytes(d.Key.Role) + encodedBytes(d.Key.Name) + encodedBytes(d.Key.Parent)
	for name, value := range d.Metadata {
		size += encodedBytes(name) + encodedBytes(value)
	}
	for _, s := range d.Scopes {
		size += encodedBytes(s)
	}
	for _, s := range d.MissingScopes {
		size += encodedBytes(s)
	}
	return size
}

// encodedBytes is the length of a text in JSON, with its quotes and the comma or
// colon after it. Text that was checked is printable, so besides quotes only what
// means something to HTML is escaped.
func encodedBytes(s string) int {
	n := len(s) + len(`"",`)
	for i := range len(s) {
		switch s[i] {
		case '"', '\\':
			n++
		case '<', '>', '&':
			n += len(`\u003c`) - 1
		}
	}
	return n
}
