// Package picture draws a Grafana dashboard from what Prometheus answers its panels, without Grafana: what the README
// shows was measured.
package picture

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strings"
)

// Panel is one of a dashboard, with its lines.
type Panel struct {
	Title, Unit string
	Stat        bool   // a number, and no graph
	Colour      string // of the number's ground; "" for none
	X, Y, W, H  int    // in Grafana's grid, which is 24 wide
	Lines       []Line
}

// Line is one series, by time from 0 to 1. A value that is no number is a gap.
type Line struct {
	Name   string
	Values []float64
}

const (
	column = 40 // pixels of the grid
	row    = 22
	gap    = 6
)

var colours = []string{"#3b82c4", "#d9822b", "#3a9d5d", "#c0392b", "#7d5bbe", "#7f8c8d", "#b7950b", "#16a2a2"}

// Draw is the panels as SVG.
func Draw(panels []Panel) []byte {
	height := 0
	for _, p := range panels {
		height = max(height, (p.Y+p.H)*row)
	}
	var svg bytes.Buffer
	fmt.Fprintf(&svg, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"11\" fill=\"#333\">\n", 24*column, height)
	fmt.Fprintf(&svg, "<rect width=\"%d\" height=\"%d\" fill=\"#f4f5f7\"/>\n", 24*column, height)
	for _, p := range panels {
		x, y, w, h := p.X*column+gap/2, p.Y*row+gap/2, p.W*column-gap, p.H*row-gap
		ground, ink := "#fff", "#333"
		if p.Stat && p.Colour != "" {
			ground, ink = p.Colour, "#fff"
		}
		fmt.Fprintf(&svg, "<g transform=\"translate(%d %d)\"><rect width=\"%d\" height=\"%d\" rx=\"3\" fill=\"%s\" stroke=\"#dcdfe4\"/><text x=\"8\" y=\"16\" font-weight=\"bold\" fill=\"%s\">%s</text>\n", x, y, w, h, ground, ink, html.EscapeString(p.Title))
		if p.Stat {
			fmt.Fprintf(&svg, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" font-size=\"26\" fill=\"%s\">%s</text>\n", w/2, h-22, ink, Format(p.last(), p.Unit))
		} else {
			p.graph(&svg, w, h)
		}
		svg.WriteString("</g>\n")
	}
	svg.WriteString("</svg>\n")
	return svg.Bytes()
}

// last is the last value of the first line.
func (p Panel) last() float64 {
	if len(p.Lines) == 0 {
		return math.NaN()
	}
	for i := len(p.Lines[0].Values) - 1; i >= 0; i-- {
		if v := p.Lines[0].Values[i]; !math.IsNaN(v) {
			return v
		}
	}
	return math.NaN()
}

func (p Panel) graph(svg *bytes.Buffer, w, h int) {
	left, top, right, bottom := 52, 26, w-8, h-26
	most := 0.0
	for _, l := range p.Lines {
		for _, v := range l.Values {
			if !math.IsNaN(v) {
				most = max(most, v)
			}
		}
	}
	if most == 0 {
		most = 1
	}
	for i := range 3 {
		y := bottom - (bottom-top)*i/2
		fmt.Fprintf(svg, "<path d=\"M%d %dH%d\" stroke=\"#e6e8eb\"/><text x=\"%d\" y=\"%d\" text-anchor=\"end\" font-size=\"9\">%s</text>\n", left, y, right, left-4, y+3, Format(most*float64(i)/2, p.Unit))
	}
	at := left
	for i, l := range p.Lines {
		colour := colours[i%len(colours)]
		var path strings.Builder
		pen := "M"
		for n, v := range l.Values {
			if math.IsNaN(v) {
				pen = "M"
				continue
			}
			fmt.Fprintf(&path, "%s%d %d", pen, left+(right-left)*n/max(1, len(l.Values)-1), bottom-int(float64(bottom-top)*v/most))
			pen = "L"
		}
		fmt.Fprintf(svg, "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\"/><text x=\"%d\" y=\"%d\" font-size=\"10\" fill=\"%s\">%s</text>\n", path.String(), colour, at, h-8, colour, html.EscapeString(l.Name))
		at += 14 + 6*len(l.Name)
	}
}

// Format is a value as a person reads it.
func Format(v float64, unit string) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case unit == "percentunit":
		return fmt.Sprintf("%.0f %%", 100*v)
	case unit == "s" && v != 0 && v < 1e-3:
		return fmt.Sprintf("%.0f µs", 1e6*v)
	case unit == "s" && v != 0 && v < 1:
		return fmt.Sprintf("%.0f ms", 1e3*v)
	case unit == "s":
		return fmt.Sprintf("%.3g s", v)
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	default:
		return fmt.Sprintf("%.3g", v)
	}
}
