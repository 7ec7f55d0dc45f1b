package edge

import (
	"time"

	"vault-plugin-secrets-apikeys/backend/cache"
	"vault-plugin-secrets-apikeys/backend/proof"
	"vault-plugin-secrets-apikeys/backend/record"
)

// texts are what is known of texts: MACs, and no text.
type texts struct {
	macs *proof.MACs
	// proofs tell which version of which key a text is. That never changes, and is worth
	// nothing without a record that has this version.
	proofs *cache.Cache[proof.MAC, proven]
	// invalid are texts that were refused, by the key_id that they name: what is told of
	// a key makes it worth asking again.
	invalid *cache.Cache[string, refused]
}

// proven is what a text is. A mount that was restored may give a version's number once
// more, to another secret: by when they were made the two are told apart.
type proven struct {
	id      string
	version int
	created record.Time
}

// refused are the last texts that named one key_id and were refused. There are as many as
// clients of one key may go on with at a time, after rotations that they missed.
type refused [4]struct {
	mac proof.MAC // of the text and the door
	at  time.Duration
}

const (
	refusedFor  = 5 * time.Second
	refusedSize = 65536
)

func newTexts(size int) texts {
	return texts{proof.NewMACs(), cache.New[proof.MAC, proven](size), cache.New[string, refused](refusedSize)}
}

// has tells whether a text was refused lately.
func (r *refused) has(mac proof.MAC, now time.Duration) bool {
	for i := range r {
		if r[i].at != 0 && now-r[i].at < refusedFor && r[i].mac == mac {
			return true
		}
	}
	return false
}

// with is r with another text, in the place of the oldest.
func (r refused) with(mac proof.MAC, at time.Duration) refused {
	oldest := 0
	for i := range r {
		if r[i].mac == mac {
			oldest = i
			break
		}
		if r[i].at < r[oldest].at {
			oldest = i
		}
	}
	r[oldest].mac, r[oldest].at = mac, at
	return r
}
