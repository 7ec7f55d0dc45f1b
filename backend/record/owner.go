package record

// Owner is whom keys are issued to. Its record exists from its first key on.
type Owner struct{}
