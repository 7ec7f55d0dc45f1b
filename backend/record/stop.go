package record

import "slices"

// Stop is what the emergency stops of an owner or a role leave behind. What was
// issued under an earlier generation is revoked; no clock decides. It outlives
// every record that it ends.
type Stop struct {
	Generation uint64 `json:"generation"`
	// Halts are of the last generations, in their order. Each keeps when and why
	// it ended what it ended: a stop that is repeated moves no earlier end.
	Halts []Halt `json:"halts"`
}

// Halt is one stop.
type Halt struct {
	Generation uint64 `json:"generation"` // that it began
	At         Time   `json:"at"`         // for people, and for how long ended keys are kept
	Reason     string `json:"reason"`
	Request    string `json:"request,omitempty"` // Vault's id of the request that asked for it
}

// maxHalts bounds how many stops are told apart.
const maxHalts = 16

// Raise stops everything issued so far. A request that Vault runs again, because
// the plugin died under it, has stopped it already: what was issued since is fine.
func (s *Stop) Raise(reason string, now Time, request string) {
	if request != "" && slices.ContainsFunc(s.Halts, func(h Halt) bool { return h.Request == request }) {
		return
	}
	s.Generation++
	// Caches hand out what they hold, so the halts are never changed in place.
	s.Halts = append(slices.Clone(s.Halts), Halt{s.Generation, now, reason, request})
	if len(s.Halts) > maxHalts {
		s.forget()
	}
}

// forget drops the mark that is missed least: the one that is soonest followed by
// another. What it ended has then ended with that one. Never with an earlier one:
// no record may go before its time.
func (s *Stop) forget() {
	soonest := 0
	for i := range len(s.Halts) - 2 { // the last one is what was just answered
		if s.Halts[i+1].At-s.Halts[i].At < s.Halts[soonest+1].At-s.Halts[soonest].At {
			soonest = i
		}
	}
	s.Halts = slices.Delete(s.Halts, soonest, soonest+1)
}

// Last is the latest stop, the zero Halt if there was none.
func (s *Stop) Last() Halt {
	if len(s.Halts) == 0 {
		return Halt{}
	}
	return s.Halts[len(s.Halts)-1]
}

// EndOf is the stop that ended what was issued under this generation, nil if none
// did.
func (s *Stop) EndOf(generation uint64) *Halt {
	if s.Generation <= generation {
		return nil
	}
	if i := slices.IndexFunc(s.Halts, func(h Halt) bool { return h.Generation > generation }); i >= 0 {
		return &s.Halts[i]
	}
	return &Halt{Generation: s.Generation} // the halts are lost: when and why is not known
}

// lostStep is how many stops a mark that was lost may have counted in a second.
const lostStep = 1 << 20

// AfterLoss is what takes the place of a stop that cannot be read any more: a
// generation above any that can have been reached by counting, so that the next
// stop ends all that was ever issued. Only this guess goes by a clock. It is above
// an earlier one too, unless halts are lost twice and the clock was set back in
// between.
func AfterLoss(now Time) Stop {
	return Stop{Generation: uint64(max(now, 1)) * lostStep}
}

// intact tells whether the halts lead up to the generation.
func (s Stop) intact() bool { return s.Generation == 0 || s.Last().Generation == s.Generation }

// Owner is whom keys are issued to. Its record exists from its first key, or its
// first stop, on.
type Owner struct {
	Stop
}

// Intact tells whether o has the parts that every stored owner has.
func (o Owner) Intact() bool { return o.Stop.intact() }
