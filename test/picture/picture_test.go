package picture

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func TestAPictureIsXMLAndShowsWhatWasMeasured(t *testing.T) {
	svg := Draw([]Panel{
		{Title: "a < b", Stat: true, Unit: "percentunit", W: 4, H: 4, Lines: []Line{{"x", []float64{1, 0.25, math.NaN()}}}},
		{Title: "empty", Stat: true, X: 4, W: 4, H: 4},
		{Title: "graph", Unit: "s", Y: 4, W: 24, H: 8, Lines: []Line{{"valid & good", []float64{0, 2e-3, math.NaN(), 4e-3}}}},
	})
	for decoder := xml.NewDecoder(strings.NewReader(string(svg))); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"a &lt; b", ">25 %<", ">–<", ">4 ms<", "valid &amp; good"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("it lacks %s", want)
		}
	}
	if strings.Contains(string(svg), "NaN") || strings.Count(string(svg), "L") != 1 {
		t.Errorf("a gap is drawn: %s", svg)
	}
}
