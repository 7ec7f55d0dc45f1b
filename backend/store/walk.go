package store

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"vault-plugin-secrets-apikeys/backend/apikey"
)

// alphabet is base62 in byte order.
const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// probes is how many shards are listed one by one before the walk asks which
// shards exist. Vault's List walks over everything below its prefix, which is
// cheap where there is little and dear where there is much. Ids are uniformly
// random, so if this many shards held fewer keys than shards, all 3,844 hold
// only a few thousand.
const probes = 16

// walk calls visit with the ids in a sharded folder after the given one, in byte
// order, until visit answers false. Its cost follows what is visited, not what
// the folder holds.
func (s *Store) walk(ctx context.Context, folder, after string, visit func(id string) (more bool, err error)) error {
	first := after[:min(len(after), shardIDChars)]
	probed, found := 0, 0
	for shard := range shardsFrom(first) {
		if probed == probes && found < probes {
			return s.walkSparse(ctx, folder, shard, after, visit)
		}
		n, more, err := s.walkShard(ctx, folder, shard, after, visit)
		if err != nil || !more {
			return err
		}
		probed++
		found += n
	}
	return nil
}

// walkSparse goes on from a shard in a folder with few ids: over the shards that
// exist.
func (s *Store) walkSparse(ctx context.Context, folder, from, after string, visit func(id string) (bool, error)) error {
	shards, err := s.list(ctx, folder)
	if err != nil {
		return err
	}
	for _, shard := range shards {
		shard = strings.TrimSuffix(shard, "/")
		if shard < from {
			continue
		}
		if _, more, err := s.walkShard(ctx, folder, shard, after, visit); err != nil || !more {
			return err
		}
	}
	return nil
}

func (s *Store) walkShard(ctx context.Context, folder, shard, after string, visit func(id string) (bool, error)) (n int, more bool, err error) {
	if err := ctx.Err(); err != nil {
		return 0, false, err
	}
	ids, err := s.list(ctx, folder+shard+"/")
	if err != nil {
		return 0, false, err
	}
	for _, id := range ids {
		if id <= after || !apikey.ValidID(id) {
			continue
		}
		more, err := visit(id)
		if err != nil || !more {
			return len(ids), false, err
		}
	}
	return len(ids), true, nil
}

// list is what lies in a folder, in byte order.
func (s *Store) list(ctx context.Context, folder string) ([]string, error) {
	names, err := s.storage.List(ctx, folder)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", folder, err)
	}
	slices.Sort(names)
	return names, nil
}

// shardsFrom counts through the names of the shards from the one that holds ids
// beginning with first.
func shardsFrom(first string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, a := range alphabet {
			for _, b := range alphabet {
				shard := string(a) + string(b)
				if shard >= first && !yield(shard) {
					return
				}
			}
		}
	}
}
