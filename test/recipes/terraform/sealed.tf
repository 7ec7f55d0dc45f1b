# A partner's key, which only the partner can open: the state, and all who see it, have the sealed form. The recipient is
# public; the partner made it with age-keygen.
variable "partner_recipient" {
  type = string
}

resource "vault_generic_endpoint" "partner" {
  path                 = "${vault_mount.apikeys.path}/static-keys/partner"
  ignore_absent_fields = true
  write_fields         = ["sealed_key", "key_id"]

  data_json = jsonencode({
    role       = basename(vault_generic_endpoint.role["live"].path)
    owner      = "partner"
    recipients = [var.partner_recipient]
  })
}

output "partner" {
  value = vault_generic_endpoint.partner.write_data["sealed_key"]
}
