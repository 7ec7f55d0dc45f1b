terraform {
  required_version = ">= 1.11"
  required_providers {
    vault = {
      source  = "hashicorp/vault"
      version = ">= 5.9"
    }
  }
}

variable "plugin_version" {
  type = string
}

variable "plugin_sha256" {
  type = string
}

resource "vault_plugin" "apikeys" {
  type    = "secret"
  name    = "vault-plugin-secrets-apikeys"
  version = var.plugin_version
  command = "vault-plugin-secrets-apikeys-${var.plugin_version}"
  sha256  = var.plugin_sha256
}

resource "vault_mount" "apikeys" {
  path                  = "apikeys"
  type                  = vault_plugin.apikeys.name
  plugin_version        = vault_plugin.apikeys.version
  max_lease_ttl_seconds = 31536000

  passthrough_request_headers = ["X-API-Key", "X-Required-Scopes", "X-Client-Ip"]
  allowed_response_headers = [
    "X-Apikey-Code", "X-Apikey-Id", "X-Apikey-Owner", "X-Apikey-Scopes", "X-Apikey-Scopes-Omitted",
    "Deprecation", "Sunset", "Retry-After",
  ]
}

# The mount has one config, which nothing can delete.
resource "vault_generic_endpoint" "config" {
  path                 = "${vault_mount.apikeys.path}/config"
  ignore_absent_fields = true
  disable_delete       = true

  data_json = jsonencode({
    revoked_retention = 604800
  })
}
