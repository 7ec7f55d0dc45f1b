# Prometheus: the figures of the mount, and nothing else.
path "apikeys/metrics" {
  capabilities = ["read"]
}
