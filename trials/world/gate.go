package world

import "vault-plugin-secrets-apikeys/trials/mount"

// GateTrials are those of gates.
func GateTrials() []Trial {
	return []Trial{{Name: "poll", Run: func(m *mount.Mount, _ *World) mount.Answer {
		a := m.Write("gate/changes", map[string]any{"gate": "edge-1", "run": "r"})
		delete(a.Data, "waited")
		return a
	}}}
}
