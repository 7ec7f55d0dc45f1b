package backend

import "runtime/debug"

// Set by the linker for a release: -X …/backend.version=v1.2.3. Vault takes the
// version of a plugin from the plugin, and it must be semantic with a leading v.
var (
	version = "v0.1.0-dev"
	commit  = ""
)

// Version is the version of this build.
func Version() string { return version }

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
