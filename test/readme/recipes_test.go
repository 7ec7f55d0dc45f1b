package readme

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ofRecipes are the languages of what is shown of recipes.
var ofRecipes = []string{"hcl", "nginx", "caddyfile", "haproxy", "lua", "yaml", "ini"}

// TestConfigurationShownIsThatOfTheRecipes wants each block to be one of the files, or a part of one of several for
// Terraform, and each file to be shown or, of those for Terraform and for gateways, named.
func TestConfigurationShownIsThatOfTheRecipes(t *testing.T) {
	_, blocks := document(t)
	var shown []string
	for _, b := range blocks {
		if slices.Contains(ofRecipes, b.language) {
			shown = append(shown, b.text)
		}
	}
	recipes := map[string]string{}
	err := filepath.WalkDir(root+"/test/recipes", func(path string, entry fs.DirEntry, err error) error {
		ofGateway := filepath.Base(filepath.Dir(path)) == "gateways" && filepath.Ext(path) != ".go"
		if ext := filepath.Ext(path); err == nil && (ext == ".hcl" || ext == ".tf" || ofGateway) {
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
		linked := slices.Contains(links(manual, read(t, manual)), strings.TrimPrefix(path, root+"/"))
		if !named && !linked && !slices.Contains(shown, text) {
			t.Errorf("no file shows %s as it is", path)
		}
	}
}

// TestEveryMountShownPassesTheSameHeaders holds what make dev and Terraform mount to the README's command.
func TestEveryMountShownPassesTheSameHeaders(t *testing.T) {
	headers := func(file, pattern string) []string {
		found := regexp.MustCompile(pattern).FindAllString(read(t, file), -1)
		for i, text := range found {
			found[i] = text[strings.LastIndexAny(text, `="`)+1:]
		}
		slices.Sort(found)
		return found
	}
	const option, element = `-headers=[A-Z][A-Za-z-]+`, `"(X-|Retry-|Deprecation|Sunset)[A-Za-z-]*`
	wanted := headers(readme, option)
	if len(wanted) < 8 {
		t.Fatalf("the README mounts with %v", wanted)
	}
	for file, pattern := range map[string]string{"scripts/dev.sh": option, "test/recipes/terraform/engine.tf": element} {
		if got := headers(file, pattern); !slices.Equal(got, wanted) {
			t.Errorf("%s mounts with %v, the README with %v", file, got, wanted)
		}
	}
}
