package record

// Owner is whom keys are issued to. Its record exists from its first key, or its
// first stop, on.
type Owner struct {
	Stop
}

// Intact tells whether o has the parts that every stored owner has.
func (o Owner) Intact() bool { return o.Stop.intact() }
