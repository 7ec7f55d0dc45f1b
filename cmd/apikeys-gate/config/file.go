package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/parser"
	"github.com/hashicorp/hcl/hcl/token"
)

// file is a configuration file while it is read.
type file struct {
	name     string
	mistakes []mistake
}

type mistake struct {
	line int
	text string
}

// wrong notes a mistake, once.
func (f *file) wrong(line int, format string, args ...any) {
	if m := (mistake{line, fmt.Sprintf(format, args...)}); !slices.Contains(f.mistakes, m) {
		f.mistakes = append(f.mistakes, m)
	}
}

// err is all mistakes, in the order of their lines.
func (f *file) err() error {
	slices.SortStableFunc(f.mistakes, func(a, b mistake) int { return a.line - b.line })
	var all []error
	for _, m := range f.mistakes {
		all = append(all, fmt.Errorf("%s:%d: %s", f.name, m.line, m.text))
	}
	return errors.Join(all...)
}

// block is a list of settings and further blocks between braces, or the file itself.
type block struct {
	of    *file
	line  int
	label string // as in listener "tcp"
	items map[string][]*ast.ObjectItem
	names []string // in order
	taken map[string]bool
}

// parse is the whole file as a block.
func (f *file) parse(text []byte) *block {
	// What is there twice is named below, with both lines.
	tree, err := parser.ParseDontErrorOnDuplicateKeys(text)
	if err != nil {
		line, says := 1, err.Error()
		if at := new(parser.PosError); errors.As(err, &at) {
			line, says = at.Pos.Line, at.Err.Error()
		}
		f.wrong(line, `this is no HCL: %s; write settings as mount = "apikeys" and blocks as vault { … }, each in a line of its own`, says)
		return f.block(1, "", &ast.ObjectList{})
	}
	list, _ := tree.Node.(*ast.ObjectList)
	return f.block(1, "", list)
}

func (f *file) block(line int, label string, list *ast.ObjectList) *block {
	b := &block{of: f, line: line, label: label, items: make(map[string][]*ast.ObjectItem), taken: make(map[string]bool)}
	for _, item := range list.Items {
		name := keyText(item.Keys[0])
		if b.items[name] == nil {
			b.names = append(b.names, name)
		}
		b.items[name] = append(b.items[name], item)
	}
	return b
}

// keyText is a name, which may stand in quotes.
func keyText(key *ast.ObjectKey) string {
	if key.Token.Type == token.STRING {
		return strings.Trim(key.Token.Text, `"`)
	}
	return key.Token.Text
}

// finish names what nobody asked for.
func (b *block) finish(known string) {
	for _, name := range b.names {
		if !b.taken[name] {
			b.of.wrong(b.items[name][0].Pos().Line, "there is no setting %s here; write one of %s", shown(name), known)
		}
	}
}

// shown is a name as a message may show it: what is no name may be a secret in the
// wrong place.
func shown(name string) string {
	if len(name) > 40 || strings.ContainsFunc(name, func(r rune) bool { return r != '_' && r != '-' && (r < 'a' || r > 'z') }) {
		return "of that name"
	}
	return name
}

// setting is the one value of a name.
func (b *block) setting(name string) (value ast.Node, line int) {
	b.taken[name] = true
	items := b.items[name]
	if len(items) == 0 {
		return nil, b.line
	}
	line = items[0].Pos().Line
	if len(items) > 1 {
		b.of.wrong(items[1].Pos().Line, "%s is written twice, first in line %d; leave one of them", name, line)
	}
	if len(items[0].Keys) > 1 {
		b.of.wrong(line, "%s is a setting, not a block; write %s = …", name, name)
		return nil, line
	}
	return items[0].Val, line
}

// literal is a setting that is one word. ok is false when it is not there, or wrong.
func (b *block) literal(name, like string, types ...token.Type) (value any, line int, ok bool) {
	node, line := b.setting(name)
	if node == nil {
		return nil, line, false
	}
	literal, is := node.(*ast.LiteralType)
	if !is || !slices.Contains(types, literal.Token.Type) {
		b.of.wrong(line, "%s must be written as %s = %s", name, name, like)
		return nil, line, false
	}
	if value, ok = valueOf(literal); !ok {
		b.of.wrong(line, "%s is too large a number, or has a \\ that escapes nothing; write %s = %s", name, name, like)
	}
	return value, line, ok
}

// valueOf is what a literal says. HCL's own reading panics where it cannot tell.
func valueOf(literal *ast.LiteralType) (value any, ok bool) {
	defer func() {
		if recover() != nil {
			value, ok = nil, false
		}
	}()
	return literal.Token.Value(), true
}

// text is a setting that is text, or "" when it is not there.
func (b *block) text(name, like string) (string, int) {
	value, line, ok := b.literal(name, `"`+like+`"`, token.STRING, token.HEREDOC)
	text, _ := value.(string)
	if ok && strings.TrimSpace(text) != text || ok && text == "" {
		b.of.wrong(line, "%s is empty or has white space around it; write %s = %q, or leave it out", name, name, like)
		return "", line
	}
	return text, line
}

// flag is a setting that is true or false.
func (b *block) flag(name string) bool {
	value, _, _ := b.literal(name, "true", token.BOOL)
	is, _ := value.(bool)
	return is
}

// texts is a setting that is a list of texts, nil when it is not there.
func (b *block) texts(name, like string) ([]string, int) {
	node, line := b.setting(name)
	if node == nil {
		return nil, line
	}
	list, ok := node.(*ast.ListType)
	texts := []string{}
	for i := 0; ok && i < len(list.List); i++ {
		literal, is := list.List[i].(*ast.LiteralType)
		if ok = is && literal.Token.Type == token.STRING; ok {
			value, _ := valueOf(literal)
			text, _ := value.(string)
			texts = append(texts, text)
		}
	}
	if !ok || len(texts) == 0 {
		b.of.wrong(line, "%s must be a list: write %s = [%q], or leave it out", name, name, like)
		return nil, line
	}
	return texts, line
}

// blocks are those of a name, each with its label where it has to have one of them.
func (b *block) blocks(name string, labels ...string) (found []*block) {
	b.taken[name] = true
	for _, item := range b.items[name] {
		line := item.Pos().Line
		object, ok := item.Val.(*ast.ObjectType)
		label := ""
		if len(item.Keys) == 2 {
			label = keyText(item.Keys[1])
		}
		switch {
		case !ok || item.Assign.IsValid() || len(item.Keys) > 2:
			b.of.wrong(line, "%s is a block; write %s { … } without a =", name, head(name, labels))
		case len(labels) == 0 && len(item.Keys) > 1 || len(labels) > 0 && !slices.Contains(labels, label):
			b.of.wrong(line, "there is no such %s; write %s { … }", name, head(name, labels))
		default:
			found = append(found, b.of.block(line, label, object.List))
		}
	}
	return found
}

// one is the only block of a name, or an empty one at the place where it is missing.
func (b *block) one(name string, labels ...string) *block {
	found := b.blocks(name, labels...)
	if len(found) == 0 {
		return b.of.block(b.line, "", &ast.ObjectList{})
	}
	if len(found) > 1 {
		b.of.wrong(found[1].line, "%s is there twice, first in line %d; leave one of them", name, found[0].line)
	}
	return found[0]
}

// head is how a block begins.
func head(name string, labels []string) string {
	if len(labels) == 0 {
		return name
	}
	return name + ` "` + strings.Join(labels, `" or "`) + `"`
}
