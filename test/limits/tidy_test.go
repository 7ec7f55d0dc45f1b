package limits

import (
	"encoding/json"
	"fmt"
	"testing"
)

// retainNothing sets what config refuses under cheap hashes.
func (e engine) retainNothing(t *testing.T) {
	t.Helper()
	var config struct {
		V      int    `json:"v"`
		Record fields `json:"record"`
	}
	if err := json.Unmarshal([]byte(e.Stored(t)["config"]), &config); err != nil {
		t.Fatal(err)
	}
	config.Record["revoked_retention"] = 0
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	e.WriteMount(t, e.Mount, "config", text)
	e.Reload(t)
}

// tidy runs tidy to its end.
func (e engine) tidy(t *testing.T) fields {
	t.Helper()
	e.Write(t, "tidy", nil)
	var status fields
	eventually(t, "wait for tidy", func() error {
		if status = e.Read(t, "tidy-status"); status["state"] != "done" {
			return fmt.Errorf("it is %v", status["state"])
		}
		return nil
	})
	return status
}
