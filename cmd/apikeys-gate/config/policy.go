package config

import (
	"fmt"
	"strings"
)

// Policy is what the gate's token must be allowed, in Vault's words, and no more.
func (c *Config) Policy() string {
	var b strings.Builder
	allow := func(path, why string) {
		fmt.Fprintf(&b, "\n# %s\npath \"%s/%s\" {\n  capabilities = [\"update\"]\n}\n", why, c.Mount, path)
	}
	fmt.Fprintf(&b, "# What the gate %s needs", c.Name)
	if c.Vault.Namespace != "" {
		fmt.Fprintf(&b, ", in the namespace %s", c.Vault.Namespace)
	}
	b.WriteString(". It can neither mint, change nor end a key.\n")
	allow("gate/changes", "To hear what changed.")
	allow("gate/confirm", "To ask whether what it holds is still so.")
	roles := c.Roles
	if len(roles) == 0 {
		allow("gate/resolve", "To ask which key a text is, of any role.")
		roles = []string{"+"}
	}
	for _, role := range roles {
		of := "of keys of " + role + "."
		if role == "+" {
			of = "of keys of any role."
		}
		allow("gate/resolve/"+role, "To ask which key a text is, "+of)
		allow("gate/reserve/"+role, "To take units from the quotas "+of)
		allow("gate/report/"+role, "To report the uses "+of)
	}
	return b.String()
}
