package record

import "slices"

// Use is when one version of a key was last verified as valid.
type Use struct {
	Version int  `json:"version"`
	At      Time `json:"at"`
}

// Uses are the last uses of a key.
type Uses struct {
	// Last is that of the key: by any version, or through a delegated key.
	Last     Time  `json:"last,omitempty"`
	Versions []Use `json:"versions,omitempty"` // newest first
}

// Of is the last use of one version, 0 if there was none.
func (u Uses) Of(version int) Time {
	for _, use := range u.Versions {
		if use.Version == version {
			return use.At
		}
	}
	return 0
}

// Use notes a use of a version, or of none through a delegated key where that is 0.
// Times only move forward, and only as many versions are kept as a key remembers.
func (u *Uses) Use(version int, at Time) {
	u.Last = max(u.Last, at)
	if version == 0 {
		return
	}
	i := 0
	for i < len(u.Versions) && u.Versions[i].Version > version {
		i++
	}
	if i < len(u.Versions) && u.Versions[i].Version == version {
		u.Versions[i].At = max(u.Versions[i].At, at)
	} else if i < MaxVersions {
		u.Versions = slices.Insert(u.Versions, i, Use{version, at})
		u.Versions = u.Versions[:min(len(u.Versions), MaxVersions)]
	}
}

// Merge is the later of both for each version. It leaves both as they are.
func (u Uses) Merge(other Uses) Uses {
	u.Versions = slices.Clone(u.Versions)
	u.add(other)
	return u
}

func (u *Uses) add(other Uses) {
	u.Use(0, other.Last)
	for _, use := range other.Versions {
		u.Use(use.Version, use.At)
	}
}
