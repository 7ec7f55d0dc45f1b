package paths

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
)

// What paths name.
var (
	roleName  = fields{"role": {kind: word, help: "Name of the role."}}
	ownerName = fields{"owner": {kind: word, help: "Whose keys these are."}}
	keyID     = fields{"key_id": {kind: word, help: "Public id of the key."}}
	static    = fields{"static_name": {kind: word, help: "Name of your choice that leads to the key."}}
)

// ofOwner is the pattern of a key of an owner, and ownerHelp what all paths of
// such a key have in common.
const (
	ofOwner   = "owners/(?P<owner>[^/]+)/keys/(?P<key_id>[^/]+)"
	ownerHelp = "The same as for any key, for a key of this owner; any other is as if it were not there. A policy can be written on this path with {{identity.entity.name}}."
)

// presentedKey is a key by which its holder speaks.
var presentedKey = fields{"key": {kind: word, help: "The key itself.", secret: true}}

// target is the key that the path names, by its id or its static name, under its owner
// where the path has one.
func target(in input) lifecycle.Target {
	return lifecycle.Target{ID: in.word("key_id"), Owner: in.word("owner"), Static: in.word("static_name")}
}

// creator is whose token asks for a key.
func creator(r request) record.Creator {
	return record.Creator{DisplayName: r.DisplayName, EntityID: r.EntityID}
}

// asker is who asks. By the fingerprint of the token a rotation tells whether it
// comes from the lease's holder. Vault hands a plugin the token salted; not even
// that is stored. Of its kind Vault says nothing, but every token has an accessor
// except for batch tokens.
func asker(r *logical.Request) lifecycle.Asker {
	a := lifecycle.Asker{Request: r.ID}
	if r.ClientToken != "" {
		sum := sha256.Sum256([]byte(r.ClientToken))
		a.Holder, a.Batch = hex.EncodeToString(sum[:8]), r.ClientTokenAccessor == ""
	}
	return a
}
