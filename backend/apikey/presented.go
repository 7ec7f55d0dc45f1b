package apikey

import "vault-plugin-secrets-apikeys/backend/secret"

// Presented is a text that somebody presents as a key, whatever it is: it may be
// one. It is revealed to find out what it is, and for nothing else.
type Presented struct{ secret.Text }

// Present takes a text as a key that is presented.
func Present(text string) Presented { return Presented{secret.Keep("presented", text)} }
