locals {
  environments = {
    live = { prefix = "acme_live", scopes = ["read:*", "write:orders"] }
    test = { prefix = "acme_test", scopes = ["read:*"] }
  }
}

# Durations are numbers of seconds, as the engine answers them: "720h" would be a difference at every plan.
# What is to restrict is always written, since a field that is left out keeps the value that it has.
resource "vault_generic_endpoint" "role" {
  for_each             = local.environments
  path                 = "${vault_mount.apikeys.path}/roles/web-${each.key}"
  ignore_absent_fields = true

  data_json = jsonencode({
    prefix          = each.value.prefix
    generate_lease  = false
    ttl             = 7776000
    grace_period    = 604800
    rotation_period = 5184000
    allowed_scopes  = each.value.scopes
    default_scopes  = ["read:orders"]
    require_owner   = true
    require_scopes  = true
    bound_cidrs     = []
    rate_limit      = 100
    disabled        = false
  })
}

# May ask about keys of this role.
resource "vault_policy" "gateway" {
  for_each = vault_generic_endpoint.role
  name     = "apikeys-gateway-${each.key}"
  policy   = <<-EOT
    path "apikeys/verify/web-${each.key}" {
      capabilities = ["read", "update"]
    }

    path "apikeys/authorize/web-${each.key}" {
      capabilities = ["read", "update"]
    }
  EOT
}

# May mint keys of this role.
resource "vault_policy" "issuer" {
  for_each = vault_generic_endpoint.role
  name     = "apikeys-issuer-${each.key}"
  policy   = <<-EOT
    path "apikeys/issue/web-${each.key}" {
      capabilities = ["update"]
    }
  EOT
}
