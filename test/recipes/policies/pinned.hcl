# Mints keys of the role web through apikeys/issue. Without both restrictions it would allow every role.
path "apikeys/issue" {
  capabilities        = ["update"]
  required_parameters = ["role"]
  allowed_parameters = {
    "role"  = ["web"]
    "owner" = []
  }
}
