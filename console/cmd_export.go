package console

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func exportCommands() []*command {
	return []*command{{
		name: "export", group: "Journal", args: "FILE [NUMBERS]",
		help: "write calls into a file: .html, .md or .json",
		long: "The ending of FILE says what it becomes: a page for a browser that needs no network (.html), text for a code host (.md) or one object for a program (.json). " +
			"NUMBERS is one call or a range; without it all that are kept are written. What is too large is cut and says so: no file gets larger than 20 MiB. " +
			"It holds payloads, so only its owner may read it.",
		examples: []string{"export session.html", "export session.json 128", "export lesson.md 120-128 --force"},
		flags:    []flag{{"format", "F", "html, md or json, whatever the ending"}, {"force", "", "write over a file that is there"}},
		min:      1, max: 2, run: runExport, check: checkExport, complete: completeExport,
	}}
}

func runExport(ctx context.Context, s *Session, a *args) (Result, error) {
	format, err := exportFormat(a)
	if err != nil {
		return Result{}, err
	}
	x, err := s.export(a)
	if err != nil {
		return Result{}, err
	}
	file, force := a.word(0).text, a.has("force")
	if err := writable(file, force); err != nil { // before the work
		return Result{}, a.at(a.word(0), err)
	}
	text, err := x.render(ctx, format)
	if err == nil {
		err = writeWhole(file, text, force)
	}
	if err != nil {
		return Result{}, a.at(a.word(0), err)
	}
	done := fmt.Sprintf("wrote %s: %s, %s", file, calls(len(x.entries)), Bytes(len(text)))
	if x.missing > 0 {
		done += fmt.Sprintf("; %s no longer kept", calls(x.missing))
	}
	return Result{Text: Printable(done), Notice: true}, nil
}

func calls(n int) string {
	if n == 1 {
		return "1 call"
	}
	return Count(n) + " calls"
}

// exportFormat is what --format says, else what the file's name ends in.
func exportFormat(a *args) (*document, error) {
	w, given := a.flags["format"]
	if !given {
		w = a.word(0)
	}
	name := strings.ToLower(w.text)
	if !given {
		name = strings.TrimPrefix(filepath.Ext(name), ".")
	}
	for i, d := range documents {
		if d.name == name || slices.Contains(d.endings, name) {
			return &documents[i], nil
		}
	}
	if given {
		return nil, a.fault(ExitUsage, w.at, fmt.Sprintf("nothing is written as %q", w.text), "it is one of html, md, json")
	}
	return nil, a.fault(ExitUsage, w.end(), fmt.Sprintf("the name %q does not say what to write", filepath.Base(w.text)), "it ends in .html, .md or .json, or --format says it")
}

// export takes from the journal what is to be written.
func (s *Session) export(a *args) (*export, error) {
	x := s.newExport()
	w := a.word(1)
	first, last, isRange := strings.Cut(w.text, "-")
	if w.text == "" || isRange {
		first, last = or(first, "1"), or(last, "last")
	} else {
		last = first
	}
	if s.journal.Last() == 0 {
		return nil, a.fault(ExitUsage, w.at, "there is no call yet", "as in: call fib 10")
	}
	from, err := s.callNumber(a, word{text: first, at: w.at})
	if err != nil {
		return nil, err
	}
	to, err := s.callNumber(a, word{text: last, at: w.at + len(w.text) - len(last)})
	switch {
	case err != nil:
		return nil, err
	case from > to:
		return nil, a.fault(ExitUsage, w.at, fmt.Sprintf("the range %s is empty", w.text), fmt.Sprintf("as in: export FILE %d-%d", to, from))
	}
	x.entries = s.journal.Tail(to-from+1, to)
	x.missing = to - from + 1 - len(x.entries)
	if len(x.entries) == 0 {
		return nil, a.fault(ExitUsage, w.at, fmt.Sprintf("#%d is no longer kept", to), fmt.Sprintf("the newest %d are", journalKeep))
	}
	if w.text != "" {
		x.retell()
	}
	return x, nil
}

// callNumber reads the number of a call that was made, whether it is still kept or not.
func (s *Session) callNumber(a *args, w word) (int, error) {
	text := strings.TrimLeft(w.text, "#$")
	if text == "last" {
		return s.journal.Last(), nil
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return 0, a.fault(ExitUsage, w.at, fmt.Sprintf("%q is not the number of a call", w.text), "as 128 or 120-128; `history` lists the calls with their numbers")
	case n < 1 || n > s.journal.Last():
		return 0, a.fault(ExitUsage, w.at, fmt.Sprintf("there is no #%d", n), "`history` lists the calls with their numbers")
	}
	return n, nil
}

// checkExport says what the line would write, without a look at the disk.
func checkExport(s *Session, a *args, typing bool) Hint {
	if a.word(0).text == "" {
		return Hint{Text: a.command.usage()}
	}
	d, err := exportFormat(a)
	if err == nil {
		var x *export
		if x, err = s.export(a); err == nil {
			return Hint{State: HintGood, Text: Printable(fmt.Sprintf("%s of %s into %s", d.what, calls(len(x.entries)), a.word(0).text))}
		}
	}
	if typing {
		return Hint{Text: a.command.help}
	}
	return badHint(err)
}

func completeExport(s *Session, a *args, w word) []Offer {
	if len(a.pos) > 1 {
		return completeNumber(s, a, w)
	}
	stem := strings.TrimSuffix(or(w.text, "session"), filepath.Ext(w.text))
	var items []Offer
	for _, d := range documents {
		items = append(items, Offer{Text: stem + "." + d.name + " ", Help: d.what})
	}
	return items
}
