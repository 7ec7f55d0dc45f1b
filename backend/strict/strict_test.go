package strict

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

// canary stands for a key that was sent in the wrong place.
const canary = "vak_CANARY7"

// Values of every type that JSON, the command line and Vault's query parser can
// send.
var (
	number = func(s string) any { return json.Number(s) }
	nested = map[string]any{canary: []any{canary}}
)

// refused marks what must not decode.
type refused struct{}

func TestWhatEachKindTakes(t *testing.T) {
	t.Parallel()
	for k, cases := range map[Kind][]struct{ sent, want any }{
		Word: {
			{"a", "a"}, {" ", " "}, {canary, canary}, {"", refused{}},
			{1.0, refused{}}, {number("1"), refused{}}, {true, refused{}}, {nil, refused{}}, {[]any{canary}, refused{}}, {[]any{}, refused{}}, {[]string{"a"}, refused{}}, {nested, refused{}},
		},
		Text: {
			{"a", "a"}, {"", ""}, {1.0, refused{}}, {number("1"), refused{}}, {false, refused{}}, {nil, refused{}}, {[]any{canary}, refused{}}, {nested, refused{}},
		},
		Duration: {
			{"0", seconds(0)}, {"30", seconds(30)}, {"30s", seconds(30)}, {"5m", seconds(300)}, {"24h", seconds(86400)}, {"7d", seconds(604800)}, {"1h30m", seconds(5400)}, {"1h1s", seconds(3601)},
			{"315360000", record.MaxSeconds}, {"3650d", record.MaxSeconds}, {"87600h", record.MaxSeconds},
			{30.0, seconds(30)}, {0.0, seconds(0)}, {number("30"), seconds(30)}, {30, seconds(30)}, {int64(30), seconds(30)},
			{"", refused{}}, {" 30", refused{}}, {"30 ", refused{}}, {"-1", refused{}}, {"-1s", refused{}}, {"+1", refused{}}, {"1.5h", refused{}}, {"1500ms", refused{}}, {"1us", refused{}},
			{"0x10", refused{}}, {"1e3", refused{}}, {"1_000", refused{}}, {"s", refused{}}, {"1s1h", refused{}}, {"1d1h", refused{}}, {"1w", refused{}}, {"1H", refused{}}, {"٣", refused{}}, {"30s\n", refused{}},
			{"315360001", refused{}}, {"3651d", refused{}}, {"999999999h", refused{}}, {"9999999999", refused{}}, {strings.Repeat("9", 400), refused{}},
			{1.5, refused{}}, {-1.0, refused{}}, {1e300, refused{}}, {math.NaN(), refused{}}, {math.Inf(1), refused{}}, {number("1.5"), refused{}}, {number("1e3"), refused{}}, {number("-1"), refused{}}, {number("99999999999999999999"), refused{}},
			{true, refused{}}, {nil, refused{}}, {[]any{canary}, refused{}}, {[]string{"30s"}, refused{}}, {nested, refused{}}, {canary, refused{}},
		},
		Count: {
			{"0", int64(0)}, {"1000", int64(1000)}, {1000.0, int64(1000)}, {number("1000"), int64(1000)}, {7, int64(7)}, {int64(7), int64(7)}, {float64(1 << 53), int64(1 << 53)},
			{"", refused{}}, {"01", refused{}}, {"-1", refused{}}, {"+1", refused{}}, {"1.0", refused{}}, {"0x1", refused{}}, {"1e3", refused{}}, {" 1", refused{}}, {"9999999999999999999", refused{}},
			{1.5, refused{}}, {-1.0, refused{}}, {-1, refused{}}, {1e300, refused{}}, {math.NaN(), refused{}}, {math.Inf(-1), refused{}}, {number("1.5"), refused{}}, {number("-1"), refused{}},
			{true, refused{}}, {nil, refused{}}, {[]any{1.0}, refused{}}, {nested, refused{}}, {canary, refused{}},
		},
		Flag: {
			{true, true}, {false, false}, {"true", true}, {"false", false}, {"1", true}, {"0", false},
			{"", refused{}}, {"yes", refused{}}, {" true", refused{}}, {canary, refused{}}, {1.0, refused{}}, {number("1"), refused{}}, {nil, refused{}}, {[]any{true}, refused{}}, {nested, refused{}},
		},
		List: {
			{"a", []string{"a"}}, {"a,b", []string{"a", "b"}}, {" a , b ", []string{"a", "b"}}, {[]any{"a", "b"}, []string{"a", "b"}}, {[]string{"b", "a"}, []string{"b", "a"}}, {[]any{}, []string{}}, {[]any{"a,b"}, []string{"a,b"}},
			{"", refused{}}, {" ", refused{}}, {" , ", refused{}}, {"a,", refused{}}, {",a", refused{}}, {"a,,b", refused{}}, {[]any{""}, refused{}}, {[]any{" "}, refused{}}, {[]string{"a", ""}, refused{}},
			{[]any{canary, 1.0}, refused{}}, {[]any{nil}, refused{}}, {[]any{[]any{canary}}, refused{}}, {[]any{nested}, refused{}}, {1.0, refused{}}, {number("1"), refused{}}, {true, refused{}}, {nil, refused{}}, {nested, refused{}},
		},
		Pairs: {
			{map[string]any{"a": "1"}, pair("a", "1")}, {map[string]any{}, map[string]string{}}, {map[string]string{"a": ""}, pair("a", "")}, {"a=1", pair("a", "1")}, {"a=b=c", pair("a", "b=c")}, {"a=", pair("a", "")}, {[]any{"a=1", "b=2"}, map[string]string{"a": "1", "b": "2"}}, {[]string{"a=1"}, pair("a", "1")}, {[]any{}, map[string]string{}},
			{"", refused{}}, {canary, refused{}}, {[]any{"a=1", "a=" + canary}, refused{}}, {[]string{"a=1", "a=1"}, refused{}}, {[]any{"a=1", canary}, refused{}}, {[]any{1.0}, refused{}}, {[]any{nil}, refused{}},
			{map[string]any{canary: 1.0}, refused{}}, {map[string]any{"a": nil}, refused{}}, {map[string]any{"a": nested}, refused{}}, {map[string]any{"a": []any{canary}}, refused{}}, {map[string]any{"a": true}, refused{}}, {1.0, refused{}}, {number("1"), refused{}}, {true, refused{}}, {nil, refused{}},
		},
		Object: {{nested, refused{}}, {canary, refused{}}},
		Objects: {
			{[]any{nested}, []any{nested}}, {[]any{}, []any{}},
			{nested, refused{}}, {canary, refused{}}, {"", refused{}}, {[]string{canary}, refused{}}, {nil, refused{}}, {1.0, refused{}}, {true, refused{}},
		},
	} {
		for _, tc := range cases {
			got, err := k.Decode("field", tc.sent)
			name := fmt.Sprintf("kind %d, %T %.30q", k, tc.sent, fmt.Sprint(tc.sent))
			if _, refuse := tc.want.(refused); refuse {
				if !errors.As(err, new(record.Mistake)) {
					t.Errorf("%s: decoded to %v, %v", name, got, err)
				} else if strings.Contains(err.Error(), "CANARY") || !strings.HasPrefix(err.Error(), "field ") {
					t.Errorf("%s: the error says %q", name, err)
				}
			} else if err != nil || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("%s: decoded to %#v, %v", name, got, err)
			}
		}
	}
}

func seconds(n int64) record.Seconds { return record.Seconds(n) }

func pair(k, v string) map[string]string { return map[string]string{k: v} }

// named takes a name.
func named(name string, value any) (any, error) {
	if name != "name" {
		return nil, Unknown(name)
	}
	return Text.Decode(name, value)
}

func TestWhatMayStandInTheData(t *testing.T) {
	t.Parallel()
	captures := map[string]any{"role": "web"}
	for name, tc := range map[string]struct {
		data map[string]any
		want map[string]any
		says string
	}{
		"nothing":                           {nil, map[string]any{"role": "web"}, ""},
		"a parameter":                       {map[string]any{"name": "x"}, map[string]any{"role": "web", "name": "x"}, ""},
		"what the path says, once more":     {map[string]any{"role": "web"}, map[string]any{"role": "web"}, ""},
		"another name than the path's":      {map[string]any{"role": canary}, nil, "role stands in the path"},
		"another type than the path's":      {map[string]any{"role": []any{canary}}, nil, "role stands in the path"},
		"a map instead of the path's":       {map[string]any{"role": nested}, nil, "role stands in the path"},
		"an unknown parameter":              {map[string]any{"key_id": canary}, nil, `unknown parameter "key_id"`},
		"an unknown one beside a known one": {map[string]any{"name": "x", "expires_at": canary}, nil, `unknown parameter "expires_at"`},
		"a key where a name should be":      {map[string]any{canary: "x"}, nil, "is not shown"},
		"a long name":                       {map[string]any{strings.Repeat("canary_", 6): "x"}, nil, "is not shown"},
		"a name in capitals":                {map[string]any{"Client-IP": "x"}, nil, `unknown parameter "Client-IP"`},
		"a long name in capitals":           {map[string]any{strings.Repeat("Canary-", 4): "x"}, nil, "is not shown"},
		"an empty name":                     {map[string]any{"": "x"}, nil, "is not shown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, err := Parameters(tc.data, captures, named)
			if tc.says == "" {
				if err != nil || !maps.Equal(in, tc.want) {
					t.Errorf("decoded to %v, %v", in, err)
				}
				return
			}
			if !errors.As(err, new(record.Mistake)) || !strings.Contains(err.Error(), tc.says) || strings.Contains(strings.ToUpper(err.Error()), "CANARY") {
				t.Errorf("it says %v", err)
			}
		})
	}
}

// nothing takes no parameter.
func nothing(name string, _ any) (any, error) { return nil, Unknown(name) }

func TestWhatTakesNoParametersTakesNone(t *testing.T) {
	t.Parallel()
	if _, err := Parameters(map[string]any{"anything": "x"}, nil, nothing); err == nil {
		t.Error("accepted")
	}
	if in, err := Parameters(map[string]any{}, nil, nothing); err != nil || len(in) != 0 {
		t.Errorf("decoded to %v, %v", in, err)
	}
}

// FuzzDurations holds the decoder to one reading: what it takes is what Vault's
// own notation means, and is never negative or beyond ten years.
func FuzzDurations(f *testing.F) {
	for _, s := range []string{"1h", "30", "7d", "1h2m3s", "999999999h", "", "-1", "1.5s", "0x1", "00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := decodeDuration("field", s)
		if err != nil {
			if len(s) > 40 && strings.Contains(err.Error(), s) {
				t.Error("the error repeats the value")
			}
			return
		}
		if got < 0 || got > record.MaxSeconds || strings.ContainsAny(s, "-+.eExX _\n") {
			t.Errorf("%q is %d", s, got)
		}
	})
}

func TestARequestHasAsManyParametersAsAnyPathTakesAndNoEnd(t *testing.T) {
	t.Parallel()
	data := make(map[string]any)
	for i := range MaxParameters + 1 {
		data[fmt.Sprintf("p%d", i)] = 1
	}
	if _, err := Parameters(data, nil, nothing); err == nil || err.Error() != "too many parameters" {
		t.Errorf("with one more it is %v", err)
	}
}
