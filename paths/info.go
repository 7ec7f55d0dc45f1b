package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Info is which plugin this is.
func Info(version, commit string) Family { return info{version, commit} }

type info struct{ version, commit string }

var infoRows = rows[info]{
	says("version", word, "Version of the plugin.", func(i *info) any { return i.version }),
	says("commit", text, "Commit that it was built from.", func(i *info) any { return i.commit }),
	says("storage_format", count, "Version of the stored form.", func(*info) any { return record.Format }),
}

func (i info) routes() []route {
	return []route{{"info", "Which plugin this is.", "Version, build and storage format.", nil, operations{
		logical.ReadOperation: {summary: "Read version, build and storage format.", answers: infoRows.fields(), handler: i.read},
	}}}
}

func (i info) read(context.Context, request) (*logical.Response, error) {
	return answer(infoRows.show(&i)), nil
}
