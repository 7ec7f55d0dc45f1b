package idle

// Confine leaves room for so many marks.
func Confine(e *Ends, marks int) { e.room = marks }
