package harness

import (
	"debug/elf"
	"testing"
)

// TestTheBinariesAreStatic looks for what would make them need a libc, or another one than that of the machine on which
// they were built: an interpreter, or libraries.
func TestTheBinariesAreStatic(t *testing.T) {
	t.Parallel()
	for name, find := range map[string]func() (string, error){"the plugin": pluginBinary, "the gate": GateBinary} {
		path, err := find()
		if err != nil {
			t.Fatal(err)
		}
		if interpreter, libraries := linked(t, path); interpreter || len(libraries) > 0 {
			t.Errorf("%s is linked dynamically, with %q", name, libraries)
		}
	}
}

// linked tells what a binary needs of the machine that runs it.
func linked(t *testing.T, path string) (interpreter bool, libraries []string) {
	t.Helper()
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		interpreter = interpreter || p.Type == elf.PT_INTERP
	}
	if libraries, err = file.ImportedLibraries(); err != nil {
		t.Fatal(err)
	}
	return interpreter, libraries
}
