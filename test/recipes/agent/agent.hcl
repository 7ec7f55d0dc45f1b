# Keeps a working key of the role service in a file, and tells the service of each change.
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
  contents    = "{{ with secret \"apikeys/issue/service\" \"owner=billing\" }}{{ .Data.key }}{{ end }}"
  destination = "/run/billing/api-key"
  perms       = "0600"

  exec {
    command = ["systemctl", "reload", "billing"]
  }
}
