package lifecycle

import "vault-plugin-secrets-apikeys/backend/record"

// Asker is who asks for a new version, as Vault tells it.
type Asker struct {
	Holder string // fingerprint of the token
	// Batch marks a batch token. Vault cuts the lease of one down to what is left
	// of the token, after the engine has answered and without a word.
	Batch bool
}

// ErrBatchToken is returned when a batch token asks for a leased version: the key
// would say that it lives longer than it does, and a renewal widen the gap.
const ErrBatchToken record.Mistake = "a batch token cannot hold the lease of a key: use a service token, or a role with generate_lease=false"

// mayHold refuses a lease to who cannot hold it.
func (a Asker) mayHold(lease bool) error {
	if lease && a.Batch {
		return ErrBatchToken
	}
	return nil
}
