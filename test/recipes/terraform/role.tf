# Durations are integers in seconds: the engine answers with integers, and "720h" would be a difference at every plan.
resource "vault_generic_endpoint" "role_partner" {
  path                 = "apikeys/roles/partner"
  ignore_absent_fields = true

  data_json = jsonencode({
    prefix         = "acme_partner"
    generate_lease = false
    ttl            = 7776000
    grace_period   = 604800
    allowed_scopes = ["read:*", "write:orders"]
    default_scopes = ["read:orders"]
    require_owner  = true
    require_scopes = true
    bound_cidrs    = []
    disabled       = false
  })
}
