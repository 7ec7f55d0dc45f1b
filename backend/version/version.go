// Package version is which build this is, of the plugin and of a gate.
package version

import "runtime/debug"

// Set by the linker for a release: -X …/version.number=v1.2.3. Vault takes the
// version of a plugin from the plugin, and it must be semantic with a leading v.
var (
	number = "v0.1.0-dev"
	commit = ""
)

// Number is the version of this build.
func Number() string { return number }

// Commit is the revision that this build was made from, "" if unknown.
func Commit() string {
	if commit != "" {
		return commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
