package gateways

import (
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// TestTheFiguresOfAGateAreThoseTold holds the table of the manual against what a gate in use shows, name by name and
// label by label.
func TestTheFiguresOfAGateAreThoseTold(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.gate(t).nginx(t, "nginx.conf", "/run/apikeys-gate/gate.sock", s.socket(), "/v1/apikeys/", "/v1/"+s.Mount+"/")
	s.ask(t, "GET /orders", key(s.minted(t).Text)).want(t, "a good key", http.StatusOK)
	r, err := http.Get("http://" + s.telemetry + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	shown := figuresIn(t, r.Body)
	maps.DeleteFunc(shown, func(name, _ string) bool { return !strings.HasPrefix(name, "apikeys_gate_") })
	told := map[string]string{"apikeys_gate_undecided_total": "door reason"} // is there once something was undecided
	maps.Copy(shown, told)
	word := regexp.MustCompile(`\w+`)
	for _, row := range regexp.MustCompile("(?m)^\\| (`apikeys_gate_[^|]*)\\|([^|]*)\\|").FindAllStringSubmatch(recipe(t, "../../../cmd/apikeys-gate/README.md"), -1) {
		labels := word.FindAllString(row[2], -1)
		slices.Sort(labels)
		for _, name := range word.FindAllString(row[1], -1) {
			told[name] = strings.Join(labels, " ")
		}
	}
	if !maps.Equal(told, shown) {
		t.Errorf("the manual tells of\n%v\nand the gate shows\n%v", told, shown)
	}
}

// figuresIn are the labels of each figure in what is scraped.
func figuresIn(t testing.TB, scraped io.Reader) map[string]string {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(scraped)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for name, family := range families {
		var labels []string
		for _, pair := range family.Metric[0].Label {
			labels = append(labels, pair.GetName())
		}
		slices.Sort(labels)
		shown[name] = strings.Join(labels, " ")
	}
	return shown
}
