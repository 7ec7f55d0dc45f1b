package edge

import "time"

// epoch is one that has ended, with the moment up to which everything was heard in it.
type epoch struct {
	number  uint64
	certain time.Duration
}

// maxPast bounds how many epochs are remembered. What is older was never certain.
const maxPast = 64

// turn begins an epoch: nothing that is held is confirmed in it. The caller holds mu.
func (f *feed) turn() {
	ended := f.epoch.Load()
	if ended != 0 {
		f.past = append(f.past[max(0, len(f.past)+1-maxPast):], epoch{ended, time.Duration(f.certain.Load())})
		f.resets.Add(1)
	}
	f.epoch.Store(ended + 1)
}

// certainIn is the moment up to which everything was heard in an epoch.
func (f *feed) certainIn(number uint64) time.Duration {
	if number == f.epoch.Load() {
		return time.Duration(f.certain.Load())
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	for i := range f.past {
		if f.past[i].number == number {
			return f.past[i].certain
		}
	}
	return never
}
