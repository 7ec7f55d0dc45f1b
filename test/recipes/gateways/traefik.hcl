# In gate.hcl, beside or instead of the other listener: Traefik knows no unix sockets. It says
# the address of its client in this header, and in no other.
listener "tcp" {
  address        = "127.0.0.1:8280"
  client_ip_from = "X-Forwarded-For"
  trusted_hops   = 1
}
