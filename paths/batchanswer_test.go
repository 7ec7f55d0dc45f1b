package paths

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/question"
	"vault-plugin-secrets-apikeys/backend/record"
)

// fattest is a key whose answer is as long as one record can make it: what is
// escaped in JSON takes six bytes for one.
func fattest(t *testing.T) (*services, map[string]any) {
	t.Helper()
	sv, key := issued(t)
	metadata := params{}
	for i := range 31 {
		metadata[fmt.Sprint(i)] = strings.Repeat("<", 512)
	}
	sv.role(t, "web", func(r *record.Role) { r.Quota = 1_000_000 })
	sv.must(t, logical.UpdateOperation, "keys/"+key["key_id"].(string), params{"metadata": metadata})
	return sv, key
}

// spent is how much of its quota a key has spent.
func spent(t *testing.T, sv *services, key map[string]any) int64 {
	t.Helper()
	return 1_000_000 - sv.must(t, logical.UpdateOperation, "verify", params{"key": key["key"], "cost": 0}).Data["quota_remaining"].(int64)
}

func TestWhatWouldMakeABatchesAnswerTooLongIsBusyAndUnspent(t *testing.T) {
	t.Parallel()
	sv, key := fattest(t)
	full, brief := params{"key": key["key"]}, params{"key": key["key"], "brief": true}
	items := slices.Repeat([]any{full}, 996)
	items = append(items, brief, params{"key": "x"}, params{}, full)
	resp := sv.must(t, logical.UpdateOperation, "verify", params{"batch_input": items})
	raw, _ := resp.Data[logical.HTTPRawBody].([]byte)
	if len(raw) > 16<<20 || len(raw) < 15<<20 {
		t.Errorf("the answer has %d bytes", len(raw))
	}
	var got struct {
		Data struct {
			Results []map[string]any `json:"batch_results"`
		}
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	answered := 0
	for i, result := range got.Data.Results[:996] {
		switch {
		case result["code"] == "valid" && answered == i:
			answered++
		case result["code"] != nil || result["http_status"] != 503.0 || !strings.Contains(fmt.Sprint(result["error"]), "busy"):
			t.Fatalf("item %d, after %d that were answered: %.300v", i, answered, result)
		}
	}
	last := got.Data.Results[996:]
	if last[0]["code"] != "valid" || last[1]["code"] != "invalid" || last[2]["http_status"] != 400.0 || last[3]["http_status"] != 503.0 {
		t.Errorf("short ones at the end are answered %.600v", last)
	}
	if got := spent(t, sv, key); got != int64(answered)+1 {
		t.Errorf("%d were answered, and %d spent", answered+1, got)
	}
	if left := sv.batches.Answering.Load(); left != 0 {
		t.Errorf("afterwards %d bytes are held", left)
	}
}

func TestAThousandBriefItemsAlwaysFit(t *testing.T) {
	t.Parallel()
	sv, key := fattest(t)
	sv.batches.Answering.Store(question.MaxAnswering) // by other batches
	for i, result := range sv.results(t, "verify", slices.Repeat([]any{params{"key": key["key"], "brief": true}}, 1000)...) {
		if result["code"] != "valid" {
			t.Fatalf("item %d: %v", i, result)
		}
	}
	got := sv.results(t, "verify", params{"key": key["key"]}, params{"key": "x"})
	if got[0]["http_status"] != 503.0 || got[1]["code"] != "invalid" || spent(t, sv, key) != 1000 {
		t.Errorf("beside full answers of others: %v, %d spent", got, spent(t, sv, key))
	}
	if left := sv.batches.Answering.Load(); left != question.MaxAnswering {
		t.Errorf("of the others %d bytes are left", left)
	}
}

func TestAWrappedAnswerFitsIntoOneEntry(t *testing.T) {
	t.Parallel()
	sv, key := fattest(t)
	resp, err := sv.send(t, params{"batch_input": slices.Repeat([]any{params{"key": key["key"]}}, 100)}, &logical.Request{
		Operation: logical.UpdateOperation, Path: "verify", WrapInfo: &logical.RequestWrapInfo{TTL: time.Minute},
	})
	if err != nil || resp.IsError() {
		t.Fatal(resp, err)
	}
	body, err := json.Marshal(resp.Data)
	results := resp.Data["batch_results"].([]map[string]any)
	if err != nil || len(body) > maxWrappedAnswer || results[0]["code"] != "valid" || len(results) != 100 || fmt.Sprint(results[99]["http_status"]) != "503" {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}
