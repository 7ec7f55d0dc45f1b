# The administrator of one tenant: sees, changes, rotates and revokes the keys of the owner acme.
path "apikeys/owners/acme/*" {
  capabilities = ["read", "update", "delete", "list"]
}
