package limits

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

// patience bounds waits for what the server does by itself.
const patience = 30 * time.Second

// with is all of these fields in one. The last value of a name counts.
func with(lists ...fields) fields {
	union := fields{}
	for _, l := range lists {
		maps.Copy(union, l)
	}
	return union
}

// wantFields checks some fields of an answer by value, as JSON shows them. The value absent wants a field to be missing.
func wantFields(t *testing.T, what string, data, wanted fields) {
	t.Helper()
	for name, value := range wanted {
		got, found := data[name]
		if value == absent {
			if found {
				t.Errorf("%s: %s is %#v, wanted none", what, name, got)
			}
			continue
		}
		if want := plain(t, value); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s is %#v, wanted %#v", what, name, got, want)
		}
	}
}

type missing struct{}

var absent = missing{}

// plain is a value of a test in the type in which answers hold it.
func plain(t *testing.T, value any) (same any) {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&same); err != nil {
		t.Fatal(err)
	}
	return same
}

// wantNames checks that an answer has exactly these fields.
func wantNames(t *testing.T, what string, data fields, names ...string) {
	t.Helper()
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
		if _, found := data[name]; !found {
			t.Errorf("%s: %s is missing", what, name)
		}
	}
	for name := range data {
		if !wanted[name] {
			t.Errorf("%s: %s is none of its fields", what, name)
		}
	}
}

func number(t *testing.T, data fields, name string) int {
	t.Helper()
	n, _ := data[name].(json.Number)
	i, err := n.Int64()
	if err != nil {
		t.Fatalf("%s is %#v, wanted an integer", name, data[name])
	}
	return int(i)
}

// wantBetween checks a number that the clock has a part in.
func wantBetween(t *testing.T, data fields, name string, low, high int) int {
	t.Helper()
	n := number(t, data, name)
	if n < low || n > high {
		t.Errorf("%s is %d, wanted %d to %d", name, n, low, high)
	}
	return n
}

func moment(t *testing.T, data fields, name string) time.Time {
	t.Helper()
	s, _ := data[name].(string)
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatalf("%s is %#v, wanted a time", name, data[name])
	}
	return at
}

// sleepUntil waits for a moment of the server's clock, which is this one.
func sleepUntil(at time.Time) { time.Sleep(time.Until(at)) }

// eventually waits for what the server brings about by itself.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	harness.Eventually(t, patience, what, try)
}
