# A gate: decides about keys of the role web beside a gateway. It can neither mint, change nor end a key.
path "apikeys/gate/changes" {
  capabilities = ["update"]
}

path "apikeys/gate/confirm" {
  capabilities = ["update"]
}

path "apikeys/gate/resolve/web" {
  capabilities = ["update"]
}

path "apikeys/gate/reserve/web" {
  capabilities = ["update"]
}

path "apikeys/gate/report/web" {
  capabilities = ["update"]
}
