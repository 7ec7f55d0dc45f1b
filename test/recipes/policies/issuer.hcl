# Mints keys of the role web. A policy on apikeys/issue would allow every role.
path "apikeys/issue/web" {
  capabilities = ["update"]
}
