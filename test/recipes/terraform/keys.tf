# Mints a key for each environment, and ends it when it is taken away. Whoever reads the state has these keys. It is
# never updated: the answer to an update has no key, and the output would be lost. So it says only what a key keeps for
# its life.
resource "vault_generic_endpoint" "key" {
  for_each             = vault_generic_endpoint.role
  path                 = "${vault_mount.apikeys.path}/static-keys/app-${each.key}"
  ignore_absent_fields = true
  write_fields         = ["key", "key_id"]

  data_json = jsonencode({
    role  = basename(each.value.path)
    owner = "acme"
  })
}

# What may change, in place.
resource "vault_generic_endpoint" "key_settings" {
  for_each             = vault_generic_endpoint.key
  path                 = "${vault_mount.apikeys.path}/keys/${each.value.write_data["key_id"]}"
  ignore_absent_fields = true
  disable_delete       = true

  data_json = jsonencode({
    name     = "app in ${each.key}"
    scopes   = var.scopes
    quota    = var.quota
    disabled = false
  })
}

variable "scopes" {
  type    = list(string)
  default = ["read:orders"]
}

variable "quota" {
  type    = number
  default = 0
}

output "keys" {
  sensitive = true
  value     = { for name, key in vault_generic_endpoint.key : name => key.write_data["key"] }
}

# What the engine tells of each key, but for the key. Outputs of it would be changes after a use or a rotation.
data "vault_generic_secret" "key" {
  for_each = vault_generic_endpoint.key_settings
  path     = each.value.path
}

check "rotation" {
  assert {
    condition = alltrue([
      for key in data.vault_generic_secret.key :
      key.data["rotate_by"] == "" ? true : timecmp(plantimestamp(), key.data["rotate_by"]) < 0
    ])
    error_message = "A key is due for rotation."
  }
}
