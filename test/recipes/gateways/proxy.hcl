# A Vault Proxy beside the gateway: it asks with a token of its own, and adds nothing.
vault {
  address = "https://vault.example.com:8200"
  retry {
    num_retries = -1 # or a 503 would be repeated a dozen times while your client waits
  }
}

auto_auth {
  method "approle" {
    config = {
      role_id_file_path                   = "/etc/vault-proxy/role-id"
      secret_id_file_path                 = "/etc/vault-proxy/secret-id"
      remove_secret_id_file_after_reading = false
    }
  }
}

api_proxy {
  use_auto_auth_token = "force" # whatever token a client sends
}

listener "unix" {
  address     = "/run/vault-proxy/proxy.sock"
  socket_mode = "0660"
  tls_disable = true
}
