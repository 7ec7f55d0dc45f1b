package wire

import "vault-plugin-secrets-apikeys/backend/record"

// Reserve asks for units of quotas, and gives units back.
type Reserve struct {
	Gate string `json:"gate"`
	Run  string `json:"run"`
	Want []Want `json:"want"` // at most MaxNames
}

// Want is what is asked of one key's quota.
type Want struct {
	KeyID    string `json:"key_id"`
	Units    int64  `json:"units"`     // 0 asks how many remain
	GiveBack int64  `json:"give_back"` // units of Window that were not spent
	Window   int64  `json:"window"`    // that the units given back are of, as Grant named it
}

// Grants is the answer, in order.
type Grants struct {
	Grants []Grant `json:"grants"`
	Now    int64   `json:"now"`
}

// Grant is what was reserved of one key's quota: written down before this answer, so
// that it is spent even if nobody spends it.
type Grant struct {
	Granted    int64       `json:"granted"`
	Window     int64       `json:"window"`         // names the window and the quota that they are of
	WindowEnds record.Time `json:"window_ends"`    // when they end; 0 if they do not
	Remaining  int64       `json:"remaining"`      // of the quota, without what was granted
	Code       string      `json:"code,omitempty"` // why there is none
	Error      string      `json:"error,omitempty"`
	Status     int         `json:"http_status,omitempty"`
}

// Report tells of uses. A Sequence that was told before is told again in vain.
type Report struct {
	Gate     string `json:"gate"`
	Run      string `json:"run"`
	Sequence uint64 `json:"sequence"` // from 1 on, of each run
	Uses     []Use  `json:"uses"`     // at most MaxNames
}

// Use is what was decided of one version of a key since the last report; of texts that
// are none, under the empty KeyID.
type Use struct {
	KeyID    string           `json:"key_id,omitempty"`
	Version  int              `json:"version,omitempty"`
	At       record.Time      `json:"at"`                  // of the last of them
	Valid    record.Time      `json:"valid,omitempty"`     // of the last one that was valid, and not for nothing; 0 for none
	ClientIP string           `json:"client_ip,omitempty"` // of the last of them
	ByCode   map[string]int64 `json:"by_code"`
}
