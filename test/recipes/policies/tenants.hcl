# The administrators of all tenants in one policy: each reaches the keys of the owner that is named like its entity.
# Let nobody choose the name of an entity freely: in a rendered path a + stands for any owner, and a / ends the name.
path "apikeys/owners/{{identity.entity.name}}/*" {
  capabilities = ["read", "update", "delete", "list"]
}
