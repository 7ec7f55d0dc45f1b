package wire

// MaxNames bounds what one Ask names in all.
const MaxNames = 1000

// Ask asks which keys these texts are, and for records.
type Ask struct {
	// Nonce comes back in the answer: one with another is an answer to something else, and
	// silence. What a text is proven to be must not hang on who stands between.
	Nonce  string   `json:"nonce,omitempty"`
	Keys   []string `json:"keys,omitempty"` // texts
	KeyIDs []string `json:"key_ids,omitempty"`
	Roles  []string `json:"roles,omitempty"`
	Owners []string `json:"owners,omitempty"`
}

// Told is the answer: of each key that was proven or asked for its record, those of all
// its ancestors, their role and their owner; and whatever else was asked for.
//
// A name that stands for nothing, or for nothing that the asker may see, is there with
// nil: a key or a role is then none, an owner was never stopped. A name that is not
// there at all could not be told for now, and is to be asked for again.
//
// What a text that is refused here is counted as: for alerts, and as a use of a
// honeytoken, by the engine when it answers. In the counters of uses by nobody: there
// it comes with the gate's report, as each text that the gate refuses does, whether it
// asked or not. A report's counts of CodeInvalid raise no alert.
type Told struct {
	Nonce   string            `json:"nonce"`
	Results []Result          `json:"results"` // of the texts, in order
	Records map[string]*Key   `json:"records"` // by key_id
	Roles   map[string]*Role  `json:"roles"`
	Owners  map[string]*Owner `json:"owners"`
	Cursor  string            `json:"cursor"` // no later than what the answer was made of
	Now     int64             `json:"now"`    // the engine's clock, milliseconds since 1970
}

// Result is what a text is: a version of a key, or CodeInvalid, or not known for now.
type Result struct {
	KeyID   string `json:"key_id,omitempty"`
	Version int    `json:"version,omitempty"`
	Code    string `json:"code,omitempty"`
	Error   string `json:"error,omitempty"`
	Status  int    `json:"http_status,omitempty"` // of Error
}

// CodeInvalid is the code of a text that is no key here.
const CodeInvalid = "invalid"
