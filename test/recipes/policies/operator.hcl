# An operator: everything. These need sudo: config, stop, tidy, honeytokens and alerts.
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

path "apikeys/honeytokens*" {
  capabilities = ["create", "read", "update", "delete", "list", "sudo"]
}

path "apikeys/alerts*" {
  capabilities = ["read", "delete", "list", "sudo"]
}
