package decisions

import (
	"bufio"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/scope"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/doors"
)

var good = doors.Decided{Door: "forward", Code: verify.Valid, KeyID: "X7pzDtTZaKwFMUsv", Version: 2, Role: "web", Owner: "acme", Scopes: []string{"a"}, ClientIP: netip.MustParseAddr("::1"), Took: 7 * time.Microsecond}

func lines(t *testing.T, path string) (all []map[string]any) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		var of map[string]any
		if err := json.Unmarshal(scanner.Bytes(), &of); err != nil {
			t.Fatalf("%v in %s", err, scanner.Bytes())
		}
		all = append(all, of)
	}
	return all
}

func begin(t *testing.T, path string) *Log {
	t.Helper()
	file, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return New(file)
}

func TestEachDecisionIsALineOfIDs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "decisions.json")
	l := begin(t, path)
	l.Decided(good)
	l.Decided(doors.Decided{Door: "verify", Code: verify.Invalid})
	l.Close()
	all := lines(t, path)
	for i, want := range []map[string]any{
		{"door": "forward", "code": "valid", "http_status": 200.0, "key_id": "X7pzDtTZaKwFMUsv", "version": 2.0, "role": "web", "owner": "acme", "scopes": []any{"a"}, "client_ip": "::1", "microseconds": 7.0},
		{"door": "verify", "code": "invalid", "http_status": 401.0, "key_id": "", "version": 0.0, "role": "", "owner": "", "scopes": []any{}, "client_ip": "", "microseconds": 0.0},
	} {
		if at, err := time.Parse(time.RFC3339Nano, all[i]["time"].(string)); err != nil || time.Since(at) > time.Minute {
			t.Errorf("line %d is of %v", i, all[i]["time"])
		}
		if delete(all[i], "time"); !reflect.DeepEqual(all[i], want) {
			t.Errorf("line %d is %v", i, all[i])
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 || l.Lost() != 0 {
		t.Errorf("it is %v, %v", info, err)
	}
}

func TestTheFileMayBeMovedAway(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "decisions.json")
	l := begin(t, path)
	l.Decided(good)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	file, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Use(file); err != nil {
		t.Fatal(err)
	}
	l.Decided(doors.Decided{Code: verify.Invalid})
	if err := l.Use(nil); err != nil {
		t.Fatal(err)
	}
	l.Decided(doors.Decided{Code: verify.Invalid})
	l.Close()
	if before, after := lines(t, path+".1"), lines(t, path); len(before) != 1 || before[0]["code"] != "valid" || len(after) != 1 || after[0]["code"] != "invalid" {
		t.Errorf("before: %v, after: %v", before, after)
	}
}

func TestAFullDiskStopsNoDecisionAndIsCounted(t *testing.T) {
	t.Parallel()
	l := begin(t, "/dev/full")
	const many = 3 * waiting
	begun := time.Now()
	for range many {
		l.Decided(good)
	}
	took := time.Since(begun)
	l.Close()
	if l.Lost() != many || took > 10*time.Second {
		t.Errorf("%d of %d are counted as lost, in %v", l.Lost(), many, took)
	}
}

func TestADiskThatHangsHoldsUpNothing(t *testing.T) {
	t.Parallel()
	read, full, err := os.Pipe() // whose other end nobody reads
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	l := New(full)
	begun := time.Now()
	for range 3 * waiting {
		l.Decided(good)
	}
	if took := time.Since(begun); took > 5*time.Second || l.Lost() == 0 {
		t.Errorf("it took %v, and %d are lost", took, l.Lost())
	}
	if err := l.Use(nil); !errors.Is(err, ErrStuck) {
		t.Errorf("another file: %v", err)
	}
	_ = read.Close() // the disk fails at last
	l.Close()
}

// TestWhatWaitsForADiskIsBoundedInBytes has gateways name as many scopes as they may.
func TestWhatWaitsForADiskIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	read, full, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l, long := New(full), good
	long.Scopes = slices.Repeat([]string{strings.Repeat("a", scope.MaxLength)}, 128)
	const many, each = 2000, 128 * scope.MaxLength
	for range many {
		l.Decided(long)
	}
	if kept := (many - int(l.Lost())) * each; kept > 20<<20 {
		t.Errorf("%d bytes wait for the disk", kept)
	}
	_ = read.Close()
	l.Close()
	if left := l.bytes.Load(); left != 0 || l.Lost() < many-10 {
		t.Errorf("at its end %d bytes wait, and of %d lines %d are lost", left, many, l.Lost())
	}
}

func TestWithoutALogNothingIsWritten(t *testing.T) {
	t.Parallel()
	l := New(nil)
	l.Decided(good)
	l.Close()
	if _, err := Open(filepath.Join(t.TempDir(), "no", "such", "directory")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a log in no directory: %v", err)
	}
}
