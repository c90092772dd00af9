// Package arch holds one test: what the packages import is what docs/ARCHITECTURE.md allows.
package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/rpckids/rpckids/"

// rule is one row of a table in docs/ARCHITECTURE.md.
type rule struct{ name, allowed []string }

// table reads the rows of the markdown table under a heading: each cell a list of names in backquotes, "anything" or "nothing".
func table(t *testing.T, heading string) []rule {
	t.Helper()
	b, err := os.ReadFile("../../docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(b), "\n### "+heading+"\n")
	if !found {
		t.Fatalf("docs/ARCHITECTURE.md has no heading %q", heading)
	}
	name := regexp.MustCompile("`([^`]+)`")
	var rules []rule
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			break
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "| `") || len(cells) < 2 {
			continue
		}
		var r rule
		for _, m := range name.FindAllStringSubmatch(cells[0], -1) {
			r.name = append(r.name, m[1])
		}
		for _, m := range name.FindAllStringSubmatch(cells[1], -1) {
			r.allowed = append(r.allowed, m[1])
		}
		rules = append(rules, r)
	}
	if len(rules) < 3 {
		t.Fatalf("%s: only %d rows", heading, len(rules))
	}
	return rules
}

type pkg struct {
	ImportPath string
	Imports    []string
}

// packages lists every package of the module with what its non-test files import.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// matches reports whether a package path is one of the names; a name may end in /* for everything below.
func matches(names []string, p string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		ok, err := path.Match(n, p)
		return ok && err == nil || strings.HasSuffix(n, "/...") && strings.HasPrefix(p, strings.TrimSuffix(n, "..."))
	})
}

func TestOurImports(t *testing.T) {
	rules := table(t, "Our own packages")
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		i := slices.IndexFunc(rules, func(r rule) bool { return matches(r.name, from) })
		if i < 0 {
			t.Errorf("%s stands in no row of the import table", from)
			continue
		}
		for _, imp := range p.Imports {
			to, ours := strings.CutPrefix(imp, module)
			if ours && !matches(rules[i].allowed, to) {
				t.Errorf("%s imports %s, which its row does not allow", from, to)
			}
		}
	}
}

func TestOtherModules(t *testing.T) {
	rules := table(t, "Other people's packages")
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, module) || !strings.Contains(strings.Split(imp, "/")[0], ".") {
				continue
			}
			i := slices.IndexFunc(rules, func(r rule) bool { return matches(r.name, imp) })
			if i < 0 {
				t.Errorf("%s imports %s, which stands in no row", from, imp)
			} else if !matches(rules[i].allowed, from) {
				t.Errorf("%s imports %s, which only %s may", from, imp, strings.Join(rules[i].allowed, ", "))
			}
		}
	}
}
