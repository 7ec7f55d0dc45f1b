package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Info is which plugin this is.
type Info struct{ Version, Commit string }

var infoRows = rows[Info]{
	says("version", word, "Version of the plugin.", func(i *Info) any { return i.Version }),
	says("commit", text, "Commit that it was built from.", func(i *Info) any { return i.Commit }),
	says("storage_format", count, "Version of the stored form.", func(*Info) any { return record.Format }),
}

func (i Info) routes() []route {
	return []route{{"info", "Which plugin this is.", "Version, build and storage format.", nil, operations{
		logical.ReadOperation: {summary: "Read version, build and storage format.", answers: infoRows.fields(), handler: i.read},
	}}}
}

func (i Info) read(context.Context, request) (*logical.Response, error) {
	return infoRows.answer(i, nil)
}
