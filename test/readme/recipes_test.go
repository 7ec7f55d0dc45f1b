package readme

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestConfigurationShownIsThatOfTheRecipes wants each block to be one of the files, or a part of one of several for
// Terraform, and each file to be shown or, of those for Terraform, named.
func TestConfigurationShownIsThatOfTheRecipes(t *testing.T) {
	_, blocks := document(t)
	var shown []string
	for _, b := range blocks {
		if b.language == "hcl" {
			shown = append(shown, b.text)
		}
	}
	recipes := map[string]string{}
	err := filepath.WalkDir(root+"/test/recipes", func(path string, entry fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); err == nil && (ext == ".hcl" || ext == ".tf") {
			text, err := os.ReadFile(path)
			recipes[path] = string(text)
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range shown {
		if !slices.ContainsFunc(slices.Sorted(maps.Keys(recipes)), func(path string) bool {
			return recipes[path] == block || filepath.Ext(path) == ".tf" && strings.Contains(recipes[path], block)
		}) {
			t.Errorf("no recipe is this block:\n%s", block)
		}
	}
	for path, text := range recipes {
		named := filepath.Ext(path) == ".tf" && strings.Contains(read(t, reference), "| `"+filepath.Base(path)+"` |")
		if !named && !slices.Contains(shown, text) {
			t.Errorf("no file shows %s as it is", path)
		}
	}
}
