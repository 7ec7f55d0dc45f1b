package harness

import (
	"cmp"
	"fmt"
	"strings"
)

// Options say what a server is made of. The zero value is a server on raft storage without the plugin.
type Options struct {
	// Plugin copies the built plugin into the plugin directory and registers it as PluginName.
	Plugin bool
	// Audit enables a file audit device; Server.AuditLog reads it.
	Audit bool
	// HCL is added to the server's configuration. A dev server reads it too.
	HCL string
	// Listener is added to the listener's block, as its limits on requests.
	Listener string
	// Breakable has the nodes of a cluster reach each other through links: see Cluster.CutOff.
	Breakable bool
	// LogLevel is "trace" if empty: tests look in logs for what must not be there.
	LogLevel string
}

// config writes a server's configuration. The raw endpoint, because tests look in storage too.
func (n *node) config(peers []*node) string {
	var b strings.Builder
	logLevel := cmp.Or(n.options.LogLevel, "trace")
	fmt.Fprintf(&b, `disable_mlock        = true
raw_storage_endpoint = true
log_level            = %q
plugin_directory     = %q
api_addr             = %q
cluster_addr         = "https://%s"

listener "tcp" {
  address         = %q
  cluster_address = %q
  tls_disable     = true
  %s
}
`, logLevel, n.pluginDir, n.url(), cmp.Or(n.peerPort, n.ports.clusterAddress()), n.ports.address(), n.ports.clusterAddress(), n.options.Listener)

	fmt.Fprintf(&b, "storage \"raft\" {\n  path = %q\n  node_id = %q\n  performance_multiplier = 1\n", n.path("data"), n.name)
	if len(peers) > 0 {
		// How often autopilot looks who may vote; its 10 s would be most of a test.
		b.WriteString("  autopilot_update_interval = \"500ms\"\n  autopilot_reconcile_interval = \"1s\"\n")
	}
	for _, peer := range peers {
		fmt.Fprintf(&b, "  retry_join {\n    leader_api_addr = %q\n  }\n", peer.url())
	}
	b.WriteString("}\n")
	b.WriteString(n.options.HCL)
	return b.String()
}
