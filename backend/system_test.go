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
	state         consts.ReplicationState
	states, local int
}

func (a *asked) ReplicationState() consts.ReplicationState {
	a.states++
	return a.state
}

func (a *asked) LocalMount() bool {
	a.local++
	return a.LocalMountVal
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

func TestThatAMountIsLocalIsAskedOnceAndThatItIsNotEachSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asked{}
		s := &steadySystem{SystemView: a}
		ask := func(want bool, times int) {
			t.Helper()
			for range 3 {
				if s.LocalMount() != want {
					t.Errorf("it answers %v", !want)
				}
			}
			if a.local != times {
				t.Errorf("it asked %d times, not %d", a.local, times)
			}
		}
		ask(false, 1) // as a call that fails answers
		a.LocalMountVal = true
		ask(false, 1)
		time.Sleep(steadyFor)
		ask(true, 2)
		a.LocalMountVal = false // a call that fails, once more
		time.Sleep(time.Hour)
		ask(true, 2)
	})
}
