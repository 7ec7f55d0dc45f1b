package keyhash

// A queue holds the runs that wait in one lane. Ids take turns; the runs of
// one id go in order. The zero queue is empty.
type queue struct {
	byID   map[string][]*run
	turns  []string // the ids that have runs waiting; the first is next
	length int
}

func (q *queue) peek() *run {
	if q.length == 0 {
		return nil
	}
	return q.byID[q.turns[0]][0]
}

func (q *queue) push(r *run) {
	if q.byID == nil {
		q.byID = map[string][]*run{}
	}
	if len(q.byID[r.id]) == 0 {
		q.turns = append(q.turns, r.id)
	}
	q.byID[r.id] = append(q.byID[r.id], r)
	q.length++
}

// pop takes the run that peek shows; its id goes to the end of the line.
func (q *queue) pop() *run {
	r := q.peek()
	q.turns = q.turns[1:]
	q.take(r.id, 0)
	if len(q.byID[r.id]) > 0 {
		q.turns = append(q.turns, r.id)
	}
	return r
}

// remove takes a run out wherever it stands, and does nothing for one that is
// not there.
func (q *queue) remove(r *run) {
	for i, other := range q.byID[r.id] {
		if other != r {
			continue
		}
		q.take(r.id, i)
		if len(q.byID[r.id]) > 0 {
			return
		}
		for j, id := range q.turns {
			if id == r.id {
				q.turns = append(q.turns[:j], q.turns[j+1:]...)
				return
			}
		}
	}
}

// makeRoom takes out and returns the youngest run of the id that has most
// waiting, when that is more than id would have with one more; otherwise nil.
// So whoever fills the queue pays for it, and not the next one to come.
func (q *queue) makeRoom(id string) *run {
	var longest []*run
	for _, runs := range q.byID {
		if len(runs) > len(longest) {
			longest = runs
		}
	}
	if len(longest) <= len(q.byID[id])+1 {
		return nil
	}
	youngest := longest[len(longest)-1]
	q.remove(youngest)
	return youngest
}

func (q *queue) take(id string, at int) {
	runs := q.byID[id]
	copy(runs[at:], runs[at+1:])
	runs[len(runs)-1] = nil // or the slice would keep its text alive
	if runs = runs[:len(runs)-1]; len(runs) == 0 {
		delete(q.byID, id)
	} else {
		q.byID[id] = runs
	}
	q.length--
}
