package store

import "sync"

// doubts are the names whose last write failed. Such a write may take effect later
// still, after it was told and who was told has asked: a client that hangs up takes
// nothing back from storage. Whoever repeats the operation then finds nothing to do,
// and is answered that it is done; that has to be told, too.
type doubts struct {
	mu    sync.Mutex
	names map[string]bool
	all   bool // there are more than can be remembered
}

// maxDoubts bounds the names that are remembered.
const maxDoubts = 4096

// note takes down how a write of a name ended.
func (d *doubts) note(name string, written bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case written:
		delete(d.names, name)
	case len(d.names) >= maxDoubts:
		d.all = true
	default:
		if d.names == nil {
			d.names = make(map[string]bool)
		}
		d.names[name] = true
	}
}

func (d *doubts) has(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all || d.names[name]
}
