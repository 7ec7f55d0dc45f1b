package wire

import "vault-plugin-secrets-apikeys/backend/record"

// Reserve asks for units of quotas, and gives units back.
type Reserve struct {
	Gate string `json:"gate"`
	Run  string `json:"run"`
	// Nonce comes back in the answer: units that another answer granted are not granted
	// once more.
	Nonce string `json:"nonce,omitempty"`
	Want  []Want `json:"want"` // at most MaxNames
}

// Want is what is asked of one key's quota.
type Want struct {
	KeyID    string `json:"key_id"`
	Need     int64  `json:"need"`      // without which nothing is of use: somebody waits for it
	Units    int64  `json:"units"`     // up to how many are wanted ahead; where both are 0, only what remains is told
	GiveBack int64  `json:"give_back"` // units of Window that were not spent
	Window   int64  `json:"window"`    // the block that these are of, as Grant named it
}

// Grants is the answer, in order.
type Grants struct {
	Nonce  string  `json:"nonce"`
	Grants []Grant `json:"grants"`
	Now    int64   `json:"now"`
}

// Grant is what was reserved of one key's quota: written down before this answer, so
// that it is spent even if nobody spends it.
type Grant struct {
	Granted int64 `json:"granted"` // a block: Need and more, or nothing
	// Window names the block, of one window of one quota. What is left of it is given back
	// under that name, once.
	Window     int64       `json:"window"`
	WindowEnds record.Time `json:"window_ends"`    // when the block ends; where there is none, the quota's window, or 0
	Remaining  int64       `json:"remaining"`      // of the quota, without what was granted
	Code       string      `json:"code,omitempty"` // why there is none: that of the key's state, CodeInvalid, or CodeUnlimited
	Error      string      `json:"error,omitempty"`
	Status     int         `json:"http_status,omitempty"`
}

// CodeUnlimited is the code of a key that has no quota.
const CodeUnlimited = "unlimited"

// Report tells of uses. A Sequence that was told before is told again in vain.
type Report struct {
	Gate     string `json:"gate"`
	Run      string `json:"run"`
	Sequence int64  `json:"sequence"` // from 1 on, of each run
	Uses     []Use  `json:"uses"`     // at most MaxNames
}

// Use is how often one code was decided of one version of a key since the last report.
// Texts that are no key are counted under no KeyID and CodeInvalid.
type Use struct {
	KeyID    string      `json:"key_id,omitempty"`
	Version  int         `json:"version,omitempty"`
	Code     string      `json:"code"`
	Count    int64       `json:"count"`
	At       record.Time `json:"at"`                  // of the last of them
	ClientIP string      `json:"client_ip,omitempty"` // of the last that had one
	// Paid tells that one of them was not for nothing, so that it is the first use of a
	// version that waits for it.
	Paid bool `json:"paid,omitempty"`
	// Brownout tells that they were refused in a brownout, which is a reminder.
	Brownout bool `json:"brownout,omitempty"`
}

// Reported is the answer.
type Reported struct {
	Counted  int64 `json:"counted"`  // how many decisions
	Dropped  int   `json:"dropped"`  // how many uses named no version of a key of this role, or no code
	Repeated bool  `json:"repeated"` // whether the report was told before, and nothing was done
	Now      int64 `json:"now"`      // the engine's clock, milliseconds since 1970
}
