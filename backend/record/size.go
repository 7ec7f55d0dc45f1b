package record

import (
	"strings"

	"vault-plugin-secrets-apikeys/backend/network"
)

// MaxPolicy bounds the bytes that one key or role holds of its writer's choice, as
// written: metadata, scopes and networks together. Each has a bound of its own,
// but whoever uses them all up makes a record fifty times the usual size, of which
// memory, answers and each verify of a descendant hold many.
const MaxPolicy = 16 << 10

func checkPolicy(metadata map[string]string, networks network.List, scopes ...[]string) error {
	size := networks.Length()
	for k, v := range metadata {
		size += len(k) + len(v)
	}
	for _, list := range scopes {
		for _, s := range list {
			size += len(s)
		}
	}
	if size > MaxPolicy {
		return Mistakef("metadata, scopes and networks together are longer than %d bytes", MaxPolicy)
	}
	return nil
}

// maxCreator bounds what is kept of a token's names. Vault bounds neither, and
// the caller may not be the one who chose them: they are cut, not refused.
const maxCreator = 256

// Bounded is c with names of at most 256 bytes.
func (c Creator) Bounded() Creator {
	return Creator{DisplayName: cut(c.DisplayName), EntityID: cut(c.EntityID)}
}

func cut(s string) string {
	if len(s) > maxCreator {
		// A copy: the rest shall not stay in memory. Nor half a character.
		s = strings.ToValidUTF8(strings.Clone(s[:maxCreator]), "")
	}
	return s
}
