# Keeps a working key of the role service in a file.
vault {
  address = "http://127.0.0.1:8200"
}

auto_auth {
  method "token_file" {
    config = {
      token_file_path = "/run/secrets/vault-token"
    }
  }
}

template {
  contents    = "{{ with secret \"apikeys/issue/service\" \"owner=billing\" }}{{ .Data.key }}{{ end }}"
  destination = "/run/billing/api-key"
  perms       = "0600"
}
