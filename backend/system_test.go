package backend

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

// asked is a view of the system that counts what it is asked.
type asked struct {
	logical.StaticSystemView
	state  consts.ReplicationState
	states int
}

func (a *asked) ReplicationState() consts.ReplicationState {
	a.states++
	return a.state
}

// What a standby or a secondary answers changes when it takes over, so only the
// answer of a node that may write is remembered.
func TestOnlyTheHarmlessStateIsRememberedForASecond(t *testing.T) {
	for state, remembered := range map[consts.ReplicationState]bool{
		consts.ReplicationUnknown: false, consts.ReplicationPerformanceDisabled | consts.ReplicationDRDisabled: true, consts.ReplicationPerformancePrimary: true, consts.ReplicationDRPrimary: true,
		consts.ReplicationPerformanceStandby: false, consts.ReplicationPerformanceSecondary: false, consts.ReplicationDRSecondary: false,
		consts.ReplicationPerformancePrimary | consts.ReplicationPerformanceStandby: false,
	} {
		synctest.Test(t, func(t *testing.T) {
			a := &asked{state: state}
			s := &steadySystem{SystemView: a}
			for range 100 {
				if got := s.ReplicationState(); got != state {
					t.Errorf("%s is answered as %s", state.GetPerformanceString(), got.GetPerformanceString())
				}
			}
			want := 100
			if remembered {
				want = 1
			}
			if a.states != want {
				t.Errorf("of state %d it asked %d times", state, a.states)
			}
			time.Sleep(steadyFor)
			if s.ReplicationState(); a.states != want+1 {
				t.Errorf("a second later it did not ask again")
			}
			a.state = consts.ReplicationPerformanceStandby
			time.Sleep(steadyFor)
			if got := s.ReplicationState(); got != consts.ReplicationPerformanceStandby {
				t.Errorf("a second after it became a standby it answers %d", got)
			}
			a.state = consts.ReplicationUnknown
			if got := s.ReplicationState(); got != consts.ReplicationUnknown {
				t.Errorf("after it took over it answers %d", got)
			}
		})
	}
}

func TestOnlyANodeThatMayWriteIsWritable(t *testing.T) {
	for state, want := range map[consts.ReplicationState]struct{ replicated, local bool }{
		consts.ReplicationPerformanceDisabled | consts.ReplicationDRDisabled:          {true, true},
		consts.ReplicationPerformancePrimary | consts.ReplicationDRPrimary:            {true, true},
		consts.ReplicationPerformanceSecondary:                                        {false, true},
		consts.ReplicationDRSecondary:                                                 {false, false},
		consts.ReplicationPerformanceStandby:                                          {false, false},
		consts.ReplicationPerformanceSecondary | consts.ReplicationPerformanceStandby: {false, false},
		consts.ReplicationPerformanceSecondary | consts.ReplicationDRSecondary:        {false, false},
		consts.ReplicationPerformancePrimary | consts.ReplicationPerformanceStandby:   {false, false},
	} {
		for local, want := range map[bool]bool{false: want.replicated, true: want.local} {
			a := &asked{state: state}
			a.LocalMountVal = local
			if got := (node{system: a}).writable(); got != want {
				t.Errorf("in state %d a mount that is local=%t is writable=%t", state, local, got)
			}
		}
	}
	if (node{}).writable() {
		t.Error("a mount without a system is writable")
	}
}
