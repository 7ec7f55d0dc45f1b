package record_test

import (
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

func TestWhatAQuotaCountsSinceAMoment(t *testing.T) {
	q := record.Quota{Marks: []record.Mark{{At: 1000, Total: 5}, {At: 1050, Total: 7}}}
	for start, want := range map[record.Time]int64{0: 0, 999: 0, 1000: 5, 1049: 5, 1050: 7, 9999: 7} {
		if got := q.Before(start); got != want {
			t.Errorf("before %d it is %d", start, got)
		}
	}
}

// Marks reach back through years, the mark of the present window among them, and
// no gap is much longer than its age.
func TestMarksGetSparserWithAge(t *testing.T) {
	const window, step, writes = 3600, 7, 200_000
	q, total := record.Quota{}, int64(0)
	for i := range record.Time(writes) {
		at := 1000 + i*step
		total++
		start := at / window * window
		q.Marks = q.Marked(record.Mark{At: at, Total: total}, start)
		if i > 1000 && start-q.Marks[markOf(q, start)].At >= step {
			t.Fatalf("at %d the mark of the window from %d is gone", at, start)
		}
	}
	if len(q.Marks) > 32 {
		t.Fatalf("there are %d marks", len(q.Marks))
	}
	last := q.Marks[len(q.Marks)-1].At
	for i := 1; i < len(q.Marks)-1; i++ {
		if gap, age := q.Marks[i].At-q.Marks[i-1].At, last-q.Marks[i-1].At; gap > step && gap > age*3/4 {
			t.Errorf("a gap of %d s is %d s old", gap, age)
		}
	}
}

// markOf is the last mark at or before a moment.
func markOf(q record.Quota, start record.Time) (at int) {
	for i, m := range q.Marks {
		if m.At <= start {
			at = i
		}
	}
	return at
}

func TestAClockThatWasAheadLeavesNoMark(t *testing.T) {
	q := record.Quota{Marks: []record.Mark{{At: 1000, Total: 5}, {At: 9000, Total: 7}}}
	got := q.Marked(record.Mark{At: 1001, Total: 8}, 0)
	if len(got) != 2 || got[1] != (record.Mark{At: 1001, Total: 8}) {
		t.Errorf("they are %v", got)
	}
	if len(q.Marks) != 2 || q.Marks[1].Total != 7 {
		t.Errorf("what was stored changed to %v", q.Marks)
	}
}

func TestAQuotaThatLostAPartIsNotIntact(t *testing.T) {
	whole := record.Quota{Total: 5, By: "a", Until: 9, Marks: []record.Mark{{At: 3, Total: 2}, {At: 4, Total: 5}}}
	if !whole.Intact() {
		t.Error("a whole one is not")
	}
	for name, damage := range map[string]func(*record.Quota){
		"nobody wrote it":           func(q *record.Quota) { q.By = "" },
		"it has no end":             func(q *record.Quota) { q.Until = 0 },
		"its total is gone":         func(q *record.Quota) { q.Total = 0 },
		"its marks are out of turn": func(q *record.Quota) { q.Marks[0].At = 4 },
		"a mark fell":               func(q *record.Quota) { q.Marks[1].Total = 1 },
	} {
		q := whole
		q.Marks = append([]record.Mark(nil), whole.Marks...)
		if damage(&q); q.Intact() {
			t.Errorf("it is intact though %s", name)
		}
	}
}
