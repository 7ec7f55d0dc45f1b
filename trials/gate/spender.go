package gate

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// Loss is what becomes of a call on its way.
type Loss int

// The losses.
const (
	None    Loss = iota
	Request      // the engine never hears of it
	Reply        // it does, and the gate does not hear the answer
	Twice        // it is run again, and the gate hears the second answer
)

// Spender is a gate that spends from quotas, and hears who looks for units of them.
type Spender struct {
	*Gate
	*edge.Quotas
	// Lose decides what becomes of a call, and how long its answer takes.
	Lose func() (Loss, time.Duration)
	// Ahead is by how much it thinks the engine's clock to be ahead.
	Ahead time.Duration

	// Cut off, it reaches nobody.
	CutOff atomic.Bool

	dead  atomic.Bool
	end   context.CancelFunc
	loops sync.WaitGroup

	mu sync.Mutex
	// Granted, Returned and Spent are units: what the engine lent it, what it gave back,
	// and what it let pass.
	Granted, Returned, Spent int64
	// Lost is what was lent, or given back, in calls that were lost or run twice.
	Lost int64
}

// SpenderOf is a gate that spends, and polls after each pause.
func SpenderOf(g *Gate, pause func() time.Duration) *Spender {
	s := &Spender{Gate: g, Lose: func() (Loss, time.Duration) { return None, time.Millisecond }}
	s.Quotas = edge.NewQuotas(s, g.Name, g.Run, s.now, func() time.Duration { return 2 * time.Second }, func(string) {})
	ctx, end := context.WithCancel(context.Background())
	s.end = end
	s.loops.Go(func() { s.Quotas.Run(ctx) })
	s.loops.Go(func() { s.listen(ctx, pause) })
	return s
}

func (s *Spender) now() record.Time { return record.At(time.Now().Add(s.Ahead)) }

func (s *Spender) listen(ctx context.Context, pause func() time.Duration) {
	for ctx.Err() == nil {
		var changes []string
		if !s.CutOff.Load() {
			changes = s.All()
		}
		for _, change := range changes {
			if kind, id := wire.Parse(change); kind == wire.QuotaKind {
				s.Quotas.Spent(ctx, id)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause()):
		}
	}
}

// Kill ends the gate as a power cut does, and answers how many units are lost with it,
// beside those that were lost before.
func (s *Spender) Kill() (lost int64) {
	s.dead.Store(true)
	s.end()
	s.loops.Wait()
	return s.Out()
}

// Leave ends the gate in order.
func (s *Spender) Leave() error {
	s.end()
	s.loops.Wait()
	return s.Quotas.Close(context.Background())
}

func (s *Spender) away() bool { return s.dead.Load() || s.CutOff.Load() }

// Out is how many units the gate has that are not spent, with those that were lost.
func (s *Spender) Out() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Granted - s.Returned - s.Spent
}

// LostSoFar is how many units calls have lost that were lost themselves.
func (s *Spender) LostSoFar() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Lost
}

// Take spends from a line, within two seconds.
func (s *Spender) Take(line limit.Line, cost int64) (limit.Verdict, error) {
	v, err := s.Meter.Take(context.Background(), []limit.Line{line}, cost, s.now())
	if err == nil && v.Outcome == limit.Allowed {
		s.mu.Lock()
		s.Spent += cost
		s.mu.Unlock()
	}
	return v, err
}

// errAway is what a gate hears of a call that was lost.
var errAway = errors.New("no answer")

// Reserve is that of edge.Reserver.
func (s *Spender) Reserve(_ context.Context, role string, r wire.Reserve) (answer wire.Grants, err error) {
	loss, takes := s.Lose()
	time.Sleep(takes / 2)
	if loss == Request || s.away() {
		s.count(r, wire.Grants{}, true)
		return answer, errAway
	}
	if loss == Twice {
		_ = s.call("gate/reserve/"+role, r, &answer)
		s.count(wire.Reserve{}, answer, true)
		answer = wire.Grants{}
	}
	err = s.call("gate/reserve/"+role, r, &answer)
	s.count(r, answer, loss == Reply)
	time.Sleep(takes / 2)
	if loss == Reply || s.dead.Load() {
		return wire.Grants{}, errAway
	}
	return answer, err
}

func (s *Spender) count(r wire.Reserve, answer wire.Grants, lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.Granted + s.Returned
	for _, w := range r.Want {
		s.Returned += w.GiveBack
	}
	for _, g := range answer.Grants {
		s.Granted += g.Granted
	}
	if lost {
		s.Lost += s.Granted + s.Returned - before
	}
}

// Report is that of edge.Reporter.
func (s *Spender) Report(_ context.Context, role string, r wire.Report) error {
	loss, _ := s.Lose()
	if loss == Request || s.away() {
		return errAway
	}
	var answer wire.Reported
	if loss == Twice {
		_ = s.call("gate/report/"+role, r, &answer)
	}
	if err := s.call("gate/report/"+role, r, &answer); err != nil || loss != Reply {
		return err
	}
	return errAway
}

// call sends what one side says, and reads what the other does.
func (s *Spender) call(path string, says, answer any) error {
	raw, err := json.Marshal(says)
	if err != nil {
		return err
	}
	var data map[string]any
	if err := json.Unmarshal(raw, &data); err != nil {
		return err
	}
	a := s.Write(path, data)
	if !a.OK() {
		return errors.New(a.Text)
	}
	if raw, err = json.Marshal(a.Data); err != nil {
		return err
	}
	return json.Unmarshal(raw, answer)
}
