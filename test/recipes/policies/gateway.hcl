# A gateway: asks whether a key of the role web is good. A key of any other role is invalid to it.
path "apikeys/verify/web" {
  capabilities = ["read", "update"]
}
