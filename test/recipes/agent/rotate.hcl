# Rotates the declared key billing by itself, and keeps its newest version in a file. A version that the service never used
# ends nothing: the one before goes on as it was.
vault {
  address = "http://127.0.0.1:8200"
}

auto_auth {
  method "approle" {
    config = {
      role_id_file_path                   = "/etc/billing/role-id"
      secret_id_file_path                 = "/etc/billing/secret-id"
      remove_secret_id_file_after_reading = false
    }
  }
}

template {
  contents    = "{{ with secret \"apikeys/static-keys/billing/rotate\" \"activation=first_use\" }}{{ .Data.key }}{{ end }}"
  destination = "/run/billing/api-key"
  perms       = "0600"

  exec {
    command = ["systemctl", "reload", "billing"]
  }
}
