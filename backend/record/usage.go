package record

import "slices"

// Use is when one version of a key was last verified as valid. Version 0 is a
// use through a delegated key.
type Use struct {
	Version int  `json:"version"`
	At      Time `json:"at"`
}

// Uses are the last uses of a key's versions. They are values: Add answers a new
// list.
type Uses []Use

// Latest is the last use of the key, 0 if there was none.
func (u Uses) Latest() (latest Time) {
	for _, use := range u {
		latest = max(latest, use.At)
	}
	return latest
}

// Of is the last use of one version, 0 if there was none.
func (u Uses) Of(version int) Time {
	for _, use := range u {
		if use.Version == version {
			return use.At
		}
	}
	return 0
}

// Add is u with another use. Times only move forward, and only as many versions
// are kept as a key remembers.
func (u Uses) Add(use Use) Uses {
	if use.At <= u.Of(use.Version) {
		return u
	}
	added := slices.DeleteFunc(slices.Clone(u), func(old Use) bool { return old.Version == use.Version })
	added = append(added, use)
	slices.SortFunc(added, func(a, b Use) int { return b.Version - a.Version })
	// The newest versions are first. Version 0, which is none, is last and stays.
	versions := len(added)
	if added[versions-1].Version == 0 {
		versions--
	}
	if versions > MaxVersions {
		added = slices.Delete(added, MaxVersions, versions)
	}
	return added
}

// Date is u with all times moved to what dated says of them.
func (u Uses) Date(dated func(Time) Time) Uses {
	at := slices.Clone(u)
	for i := range at {
		at[i].At = dated(at[i].At)
	}
	return at
}

// Merge is the later of both for each version.
func (u Uses) Merge(other Uses) Uses {
	for _, use := range other {
		u = u.Add(use)
	}
	return u
}
