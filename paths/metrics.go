package paths

import (
	"context"
	"net/http"

	"github.com/hashicorp/vault/sdk/logical"
)

// MetricsSource is what a scrape is answered: the text, and its media type.
type MetricsSource interface {
	Text(ctx context.Context) (text []byte, media string, err error)
}

// Metrics are the figures of the mount.
type Metrics struct{ Source MetricsSource }

func (m Metrics) routes() []route {
	return []route{{"metrics", "Figures for Prometheus.", "Answers in Prometheus's text format and not in JSON, so that Prometheus scrapes it as it scrapes Vault's own sys/metrics.", nil, operations{
		logical.ReadOperation: {summary: "Read the figures of the mount.", media: "text/plain", handler: m.read},
	}}}
}

func (m Metrics) read(ctx context.Context, _ request) (*logical.Response, error) {
	text, media, err := m.Source.Text(ctx)
	if err != nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{
		logical.HTTPStatusCode:  http.StatusOK,
		logical.HTTPContentType: media,
		logical.HTTPRawBody:     text,
	}}, nil
}
