# The gate beside the gateway: it decides about keys of the role web.
mount         = "apikeys"
roles         = ["web"]
max_staleness = "10s"
stale_grace   = "0s"

vault {
  address = "https://vault.example.com:8200"
  auth "approle" {
    role_id_file   = "/etc/apikeys-gate/role-id"
    secret_id_file = "/etc/apikeys-gate/secret-id"
  }
}

listener "unix" {
  address     = "/run/apikeys-gate/gate.sock"
  socket_mode = "0660"
}
