package apikey

import (
	"crypto/rand"
	"testing"
	"unsafe"
)

// TestWhatIsReadFromAKeyKeepsNoText looks where the parts lie: caches hold ids for days, and a part of a text in memory
// keeps all of it there.
func TestWhatIsReadFromAKeyKeepsNoText(t *testing.T) {
	t.Parallel()
	tk, err := NewTagKey(make([]byte, TagKeyLength))
	if err != nil {
		t.Fatal(err)
	}
	id, err := NewID(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	made, err := Generate(rand.Reader, tk, "acme_live", id, 1)
	if err != nil {
		t.Fatal(err)
	}
	read, err := Parse(made.Presented())
	if err != nil {
		t.Fatal(err)
	}
	text := made.Reveal()
	from := uintptr(unsafe.Pointer(unsafe.StringData(text)))
	for name, part := range map[string]string{"id made": made.ID, "prefix made": made.Prefix, "id read": read.ID, "prefix read": read.Prefix} {
		if at := uintptr(unsafe.Pointer(unsafe.StringData(part))); part == "" || at >= from && at < from+uintptr(len(text)) {
			t.Errorf("the %s is a part of the text", name)
		}
	}
}
