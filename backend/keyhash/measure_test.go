package keyhash

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func (b *stub) measured() map[string]float64 {
	all := map[string]float64{}
	b.Measure(func(figure string, value float64, labels ...string) {
		for _, l := range labels {
			figure += " " + l
		}
		all[figure] = value
	})
	return all
}

func TestWhoLooksOnSeesWhatRunsWaitsAndIsRefused(t *testing.T) {
	t.Parallel()
	stubbed(t, 2, func(t *testing.T, b *stub) {
		phc := Stored("$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
		go b.Match(t.Context(), phc, "first")
		synctest.Wait()
		go b.Match(t.Context(), phc, "second")
		go b.Match(t.Context(), phc, "second") // the same run
		synctest.Wait()
		if got := b.measured(); got["argon2_slots"] != 1 || got["argon2_running"] != 1 || got["argon2_waiting verify"] != 1 || got["argon2_runs_total verify"] != 1 || got["argon2_wait_seconds_total verify"] != 0 {
			t.Error(got)
		}
		time.Sleep(time.Second)
		b.finish(1)
		synctest.Wait()
		if got := b.measured(); got["argon2_waiting verify"] != 0 || got["argon2_runs_total verify"] != 2 || got["argon2_wait_seconds_total verify"] != 1 {
			t.Error(got)
		}
		if _, err := b.Match(t.Context(), phc, "third"); !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
		if got := b.measured(); got["argon2_refused_total verify"] != 1 || got["argon2_runs_total verify"] != 2 || got["argon2_runs_total mint"] != 0 {
			t.Error(got)
		}
		b.finish(1)
	})
}
