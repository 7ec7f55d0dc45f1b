# A gateway: asks whether a key of the role web is good. A key of any other role is invalid to it.
path "apikeys/verify/web" {
  capabilities = ["read", "update"]
}

# The same question, answered by the HTTP status: for nginx auth_request, Caddy forward_auth, Traefik ForwardAuth.
path "apikeys/authorize/web" {
  capabilities = ["read", "update"]
}
