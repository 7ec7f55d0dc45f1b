# A key that Terraform declares and never sees: it asks for no key, and nobody has the first version. The Vault Agent of
# the service rotates it at its start, and has the first that anybody uses. Each answer has key_id, so this may change.
resource "vault_generic_endpoint" "billing" {
  path                 = "${vault_mount.apikeys.path}/static-keys/billing"
  ignore_absent_fields = true
  write_fields         = ["key_id"]

  data_json = jsonencode({
    role   = basename(vault_generic_endpoint.role["live"].path)
    owner  = "billing"
    scopes = var.scopes
  })
}

# May rotate this key.
resource "vault_policy" "billing" {
  name   = "apikeys-billing"
  policy = <<-EOT
    path "${vault_generic_endpoint.billing.path}/rotate" {
      capabilities = ["update"]
    }
  EOT
}
