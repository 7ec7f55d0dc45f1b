package mount

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/vault/sdk/logical"
)

// Journal is a log that many goroutines write.
type Journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *Journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *Journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// SendEvent takes down an event, as Vault's event system would get it.
func (j *Journal) SendEvent(_ context.Context, kind logical.EventType, event *logical.EventData) error {
	_, err := fmt.Fprintln(j, kind, event)
	return err
}
