package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

var infoAnswer = fields{
	"version":        {kind: word, help: "Version of the plugin."},
	"commit":         {kind: text, help: "Commit that it was built from."},
	"storage_format": {kind: count, help: "Version of the stored form."},
}

func (sv *Services) infoPath() *framework.Path {
	return sv.path("info", "Which plugin this is.", "Version, build and storage format.", nil,
		map[logical.Operation]operation{
			logical.ReadOperation: {summary: "Read version, build and storage format.", answers: infoAnswer, handler: sv.readInfo},
		})
}

func (sv *Services) readInfo(context.Context, request) (*logical.Response, error) {
	return answer(map[string]any{
		"version":        sv.Version,
		"commit":         sv.Commit,
		"storage_format": record.Format,
	}), nil
}
