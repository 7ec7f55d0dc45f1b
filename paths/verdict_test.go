package paths

import (
	"encoding/json"
	"reflect"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// TestSingleAnswersAndBatchItemsAreTheSame holds the two forms of a verdict
// against each other and against what verify declares.
func TestSingleAnswersAndBatchItemsAreTheSame(t *testing.T) {
	proven := verify.Decision{Code: verify.Valid, Key: record.Key{ID: "i", Role: "web"}, Version: record.Version{Number: 1}}
	limited := proven
	limited.Code, limited.Limits = verify.RateLimited, record.Limits{RateLimit: 1, RateLimitPeriod: 1, Quota: 1}
	narrow := proven
	narrow.Code, narrow.MissingScopes = verify.InsufficientScope, []string{"read"}
	for name, c := range map[string]struct {
		decision verify.Decision
		brief    bool
		fields   int
	}{
		"the zero decision": {verify.Decision{}, false, 3},
		"not proven":        {verify.Decision{Code: verify.Invalid}, false, 3},
		"proven":            {proven, false, 15},
		"brief":             {limited, true, 5},
		"limited":           {limited, false, 22},
		"narrow":            {narrow, false, 16},
	} {
		v := show(&c.decision, c.brief)
		single, item := overJSON(t, v.data()), overJSON(t, v)
		if len(item) != c.fields || !reflect.DeepEqual(single, item) {
			t.Errorf("%s: a single answer is %v, a batch item %v; want %d fields", name, single, item, c.fields)
		}
		for field := range item {
			if _, declared := verifyAnswer[field]; !declared {
				t.Errorf("%s: %s is not declared", name, field)
			}
		}
	}
}

func overJSON(t *testing.T, v any) (object map[string]any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	return object
}
