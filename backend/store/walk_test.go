package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/memory"
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// randomIDs are n ids as the engine makes them, the same in every run, sorted.
func randomIDs(n int) []string {
	random := rand.New(rand.NewPCG(1, 2))
	ids := make([]string, n)
	for i := range ids {
		id := make([]byte, 16)
		for j := range id {
			id[j] = alphabet[random.IntN(len(alphabet))]
		}
		ids[i] = string(id)
	}
	slices.Sort(ids)
	return ids
}

// library is a mount whose storage holds entries under these ids.
func library(t testing.TB, ids []string) (*memory.Storage, *store.Store) {
	t.Helper()
	d := newDisk()
	for _, id := range ids {
		d.Plant("key/"+id[:2]+"/"+id, "{}")
	}
	return d, store.New(d)
}

// page collects up to limit ids.
func page(t testing.TB, each func(context.Context, string, func(string) (bool, error)) error, after string, limit int) (ids []string) {
	t.Helper()
	err := each(context.Background(), after, func(id string) (bool, error) {
		ids = append(ids, id)
		return len(ids) < limit, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

var libraries = map[string][]string{
	"none":                      nil,
	"one":                       {idIn("aa", 1)},
	"five":                      randomIDs(5),
	"some":                      randomIDs(300),
	"thousands":                 randomIDs(3000),
	"in every shard":            randomIDs(20_000),
	"in one shard":              inShards(500, "Zz"),
	"in the first shards alone": inShards(20, "00", "01", "02", "0F"),
	"in the last shard alone":   inShards(30, "zz"),
	"at both ends":              inShards(30, "00", "zz"),
}

func inShards(each int, shards ...string) (ids []string) {
	for _, shard := range shards {
		for i := range each {
			ids = append(ids, idIn(shard, i))
		}
	}
	return ids
}

func TestAWalkAnswersAsASortedListDoes(t *testing.T) {
	t.Parallel()
	for name, ids := range libraries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, s := library(t, ids)
			after := []string{"", "0", "00", "Zz", "a", "zz", "zzzzzzzzzzzzzzzz", "0000000000000000"}
			for i := 0; i < len(ids); i += 1 + len(ids)/4 {
				id := ids[i]
				after = append(after, id, id[:15], id[:15]+"z", id[:3])
			}
			for _, a := range after {
				limit := 1 + len(ids)/3
				rest := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id <= a })
				want := rest[:min(limit, len(rest))]
				if got := page(t, s.EachKey, a, limit); !slices.Equal(got, want) {
					t.Errorf("after %q: %d ids, want %d", a, len(got), len(want))
				}
			}
		})
	}
}

func TestPagesFollowEachOther(t *testing.T) {
	t.Parallel()
	ids := libraries["thousands"]
	_, s := library(t, ids)
	var all []string
	for after := ""; ; after = all[len(all)-1] {
		p := page(t, s.EachKey, after, 333)
		all = append(all, p...)
		if len(p) < 333 {
			break
		}
	}
	if !slices.Equal(all, ids) {
		t.Errorf("the pages hold %d ids of %d", len(all), len(ids))
	}
}

func TestTheKeysOfAnOwnerAreHisAlone(t *testing.T) {
	t.Parallel()
	ids := inShards(20, "00", "Zz", "zz")
	_, s := mount(t, ids...)
	if err := s.CreateKey(t.Context(), keyOf(one, "acme.eu")); err != nil {
		t.Fatal(err)
	}
	of := func(owner string) []string {
		return page(t, func(ctx context.Context, after string, visit func(string) (bool, error)) error {
			return s.EachKeyOf(ctx, owner, after, visit)
		}, ids[4], 1000)
	}
	if got := of("acme"); !slices.Equal(got, ids[5:]) {
		t.Errorf("acme has %d keys more", len(got))
	}
	if got := of("acme.eu"); !slices.Equal(got, []string{one}) {
		t.Errorf("acme.eu has %q", got)
	}
}

func TestTheCostOfAPageFollowsThePage(t *testing.T) {
	t.Parallel()
	type costs []struct {
		after        string
		limit, lists int // how many are asked for, and how many lists may find them
	}
	many := libraries["in every shard"]
	for in, pages := range map[string]costs{
		"in every shard": {{"", 10, 8}, {many[10_000], 10, 8}, {many[19_980], 10, 20}, {"", 1000, 260}, {"", 1 << 20, 3844}},
		"five":           {{"", 1000, 16 + 1 + 5}},
		"none":           {{"", 1000, 16 + 1}},
		"in one shard":   {{"", 1000, 16 + 1 + 1}},
	} {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			d, s := library(t, libraries[in])
			for _, p := range pages {
				page(t, s.EachKey, p.after, p.limit)
				ops := d.Noted()
				lists := slices.DeleteFunc(slices.Clone(ops), func(c string) bool { return !strings.HasPrefix(c, "list ") })
				if len(lists) > p.lists || len(ops) != len(lists) {
					t.Errorf("%d after %q: %d lists, at most %d are due, and %d other reads", p.limit, p.after, len(lists), p.lists, len(ops)-len(lists))
				}
				if in == "in every shard" && slices.Contains(lists, "list key/") {
					t.Error("it listed all shards, which walks over every key")
				}
			}
		})
	}
}

func TestAWalkEndsWithTrouble(t *testing.T) {
	t.Parallel()
	_, s := library(t, randomIDs(100))
	visited := 0
	stop := errors.New("stop")
	err := s.EachKey(t.Context(), "", func(string) (bool, error) { visited++; return true, stop })
	if !errors.Is(err, stop) || visited != 1 {
		t.Errorf("after the visitor's error it went on to %d, %v", visited, err)
	}
	for _, folder := range []string{"key/00/", "key/"} { // among the probes, and after
		d, s := library(t, randomIDs(5))
		d.Intercept(memory.Before(memory.On("list", folder, errDisk)))
		err := s.EachKey(t.Context(), "", func(string) (bool, error) { return true, nil })
		if !errors.Is(err, errDisk) {
			t.Errorf("without %s it answered %v", folder, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.EachKey(ctx, "", func(string) (bool, error) { return true, nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled it answered %v", err)
	}
}

func TestWhatIsNoIDIsPassedOver(t *testing.T) {
	t.Parallel()
	ids := inShards(3, "aa")
	d, s := library(t, ids)
	for _, junk := range []string{"key/aa/short", "key/aa/deeper/entry", "key/aa/aa0000000000000-", "key/aa/aa000000000000001"} {
		d.Plant(junk, "{}")
	}
	if got := page(t, s.EachKey, "", 10); !slices.Equal(got, ids) {
		t.Errorf("it visited %q", got)
	}
}

func TestNamesAreListedInByteOrder(t *testing.T) {
	t.Parallel()
	d, s := library(t, nil)
	names := []string{"a@b", "Z", "a", "0", "a.b", "a-b", "_"}
	for _, n := range names {
		d.Plant("role/"+n, "{}")
		d.Plant("owner/"+n, "{}")
	}
	d.Plant("role/folder/entry", "{}")
	slices.Sort(names)
	for what, list := range map[string]func(context.Context) ([]string, error){"roles": s.Roles, "owners": s.Owners} {
		if got, err := list(t.Context()); !slices.Equal(got, names) || err != nil {
			t.Errorf("%s are %q, %v", what, got, err)
		}
		d.Intercept(memory.Before(memory.On("list", "", errDisk)))
		if _, err := list(t.Context()); !errors.Is(err, errDisk) || strings.Contains(fmt.Sprint(err), "a@b") {
			t.Errorf("%s answered %v", what, err)
		}
		d.Intercept(nil)
	}
}
