package surface

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"testing"
	"time"
)

// With is all of these fields in one. The last value of a name counts.
func With(lists ...Fields) Fields {
	union := Fields{}
	for _, l := range lists {
		maps.Copy(union, l)
	}
	return union
}

// WantFields checks some fields of an answer by value, as JSON shows them. The value Absent wants a field to be missing.
func WantFields(t testing.TB, what string, data, wanted Fields) {
	t.Helper()
	for name, value := range wanted {
		got, found := data[name]
		if value == Absent {
			if found {
				t.Errorf("%s: %s is %#v, wanted none", what, name, got)
			}
			continue
		}
		if want := Plain(t, value); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s is %#v, wanted %#v", what, name, got, want)
		}
	}
}

type missing struct{}

// Absent wants a field to be missing.
var Absent = missing{}

// Plain is a value of a test in the type in which answers hold it.
func Plain(t testing.TB, value any) (same any) {
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

// Number is an integer of an answer.
func Number(t testing.TB, data Fields, name string) int {
	t.Helper()
	n, _ := data[name].(json.Number)
	i, err := n.Int64()
	if err != nil {
		t.Fatalf("%s is %#v, wanted an integer", name, data[name])
	}
	return int(i)
}

// Moment is a time of an answer.
func Moment(t testing.TB, data Fields, name string) time.Time {
	t.Helper()
	s, _ := data[name].(string)
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatalf("%s is %#v, wanted a time", name, data[name])
	}
	return at
}
