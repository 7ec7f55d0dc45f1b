# A key for one run of a pipeline, which no state and no plan holds. Terraform opens an ephemeral at every plan, apply
# and destroy, and each time this mints a key: so they live for an hour, and nothing has to end them. A destroy cannot
# delete the role of the key that it has just minted. The end of the mount takes both.
resource "vault_generic_endpoint" "role_pipeline" {
  path                 = "${vault_mount.apikeys.path}/roles/pipeline"
  ignore_absent_fields = true
  disable_delete       = true

  data_json = jsonencode({
    prefix         = "acme_ci"
    generate_lease = false
    ttl            = 3600
    max_ttl        = 3600
    allowed_scopes = ["write:orders"]
    default_scopes = ["write:orders"]
    require_owner  = true
    bound_cidrs    = []
    disabled       = false
  })
}

variable "run" {
  type        = number
  default     = 1
  description = "The number of the run: KV gets another key with another number."
}

ephemeral "vault_generic_endpoint" "pipeline" {
  mount_id     = vault_generic_endpoint.role_pipeline.id # not before the role is there
  path         = "${vault_mount.apikeys.path}/issue/pipeline"
  write_fields = ["key"]

  data_json = jsonencode({
    owner = "pipeline"
  })
}

resource "vault_kv_secret_v2" "pipeline" {
  mount                = "secret"
  name                 = "pipeline/api-key"
  data_json_wo         = jsonencode({ key = ephemeral.vault_generic_endpoint.pipeline.write_data["key"] })
  data_json_wo_version = var.run
}
