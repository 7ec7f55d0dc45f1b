# An operator: everything. These need sudo: config, stop and tidy.
path "apikeys/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

path "apikeys/config" {
  capabilities = ["read", "update", "sudo"]
}

path "apikeys/stop/*" {
  capabilities = ["update", "sudo"]
}

path "apikeys/tidy" {
  capabilities = ["update", "sudo"]
}
