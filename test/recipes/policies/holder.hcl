# The holder of a key: rotates and revokes what it can present, and nothing else.
path "apikeys/rotate" {
  capabilities = ["update"]
}

path "apikeys/revoke" {
  capabilities = ["update"]
}
