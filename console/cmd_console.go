package console

import (
	"context"
	"fmt"
	"strings"
)

func consoleCommands() []*command {
	return []*command{
		{
			name: "set", group: "Console", args: "[NAME [VALUE]]",
			help:     "show or change a setting",
			long:     "`set` lists all settings with where their value comes from: flag, env, set or default.",
			examples: []string{"set", "set timeout 2s", "set strict on"},
			max:      2, run: runSet, check: checkSet, complete: completeSet,
		},
		{
			name: "unset", group: "Console", args: "NAME",
			help:     "give a setting the value it started with",
			examples: []string{"unset timeout"},
			min:      1, max: 1, run: runUnset, complete: completeSet,
		},
		{
			name: "theme", group: "Console", args: "[NAME]",
			help: "show or change the colours",
			long: "Themes are " + strings.Join(Themes, ", ") + ". mono has no colours. high-contrast keeps all words at 7:1 or better, colour-blind takes colours that stay " +
				"apart without red, green or blue. auto, high-contrast and colour-blind suit the terminal's background; for one that cannot be asked, COLORFGBG=\"0;15\" says that it is light.",
			examples: []string{"theme", "theme colour-blind"},
			max:      1, run: runTheme, check: checkTheme, complete: completeTheme,
		},
		{
			name: "help", aliases: []string{"?"}, group: "Console", args: "[TOPIC]",
			help:     "help on a command or a topic",
			examples: []string{"help", "help call", "help types", "help exit-codes"},
			max:      1, run: runHelp, complete: completeHelp,
		},
		{name: "dashboard", aliases: []string{"dash"}, group: "Console", help: "go on in the dashboard", run: next(OpenDashboard)},
		{name: "repl", group: "Console", help: "go on at the prompt", run: next(OpenREPL)},
		{name: "clear", group: "Console", help: "clear the screen; nothing is forgotten", run: next(Clear)},
		{name: "quit", aliases: []string{"exit"}, group: "Console", help: "end the console", run: next(Quit)},
	}
}

func next(n Next) func(context.Context, *Session, *args) (Result, error) {
	return func(_ context.Context, s *Session, a *args) (Result, error) {
		if s.cfg.Connect && (n == OpenDashboard || n == OpenREPL) { // run once from a shell there is nothing to go on with
			return Result{}, &Error{Exit: ExitUsage, Message: a.command.name + " is for an open console", Hint: "rpckids-console connect ADDR opens one"}
		}
		return Result{Next: n}, nil
	}
}

// settingJSON is a setting as -o json prints it.
type settingJSON struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

func runSet(_ context.Context, s *Session, a *args) (Result, error) {
	name, value := a.word(0), a.word(1)
	switch {
	case name.text == "":
		return s.listSettings(), nil
	case settingNamed(name.text) == nil:
		return Result{}, a.at(name, CheckSetting(name.text, ""))
	case value.text == "":
		v := s.settingOf(name.text)
		return Result{Text: Printable(v.Value), Value: settingJSON{"setting", name.text, v.Value, v.Origin}}, nil
	}
	if err := CheckSetting(name.text, value.text); err != nil {
		return Result{}, a.at(value, err)
	}
	s.change(name.text, Setting{value.text, "set"})
	return Result{Text: name.text + " is " + value.text, Notice: true}, nil
}

func (s *Session) listSettings() Result {
	var t table
	list := make([]settingJSON, len(settingRows))
	for i, r := range settingRows {
		v := s.settingOf(r.name)
		list[i] = settingJSON{"setting", r.name, v.Value, v.Origin}
		t.add(r.name, v.Value, v.Origin, r.help)
	}
	return Result{Text: t.String(), Value: list}
}

func runUnset(_ context.Context, s *Session, a *args) (Result, error) {
	name := a.word(0)
	start, ok := startSettings(s.cfg.Settings)[name.text]
	if !ok {
		return Result{}, a.at(name, CheckSetting(name.text, ""))
	}
	s.change(name.text, start)
	return Result{Text: Printable(fmt.Sprintf("%s is %s again", name.text, start.Value)), Notice: true}, nil
}

func checkSet(_ *Session, a *args, typing bool) Hint {
	name, value := a.word(0), a.word(1)
	r := settingNamed(name.text)
	switch {
	case name.text == "" || r == nil && typing && value.text == "":
		return Hint{Text: a.command.usage()}
	case r == nil:
		return badHint(a.at(name, CheckSetting(name.text, "")))
	case value.text != "" && !typing:
		if err := CheckSetting(name.text, value.text); err != nil {
			return badHint(a.at(value, err))
		}
	}
	text := r.name + ": " + r.help
	if r.values != nil {
		text += " (" + strings.Join(r.values, ", ") + ")"
	}
	return Hint{State: HintGood, Text: text}
}

func completeSet(_ *Session, a *args, _ word) []Offer {
	if len(a.pos) < 2 {
		var items []Offer
		for _, r := range settingRows {
			items = append(items, Offer{Text: r.name + " ", Help: r.help})
		}
		return items
	}
	if r := settingNamed(a.word(0).text); r != nil && r.values != nil {
		return offersOf(r.values, "", "")
	}
	return offersOf([]string{"1s", "5s", "30s", "off"}, "", "")
}

func runTheme(ctx context.Context, s *Session, a *args) (Result, error) {
	r, err := runSet(ctx, s, a.of("theme"))
	if len(a.pos) == 0 {
		r.Text += "  of " + strings.Join(Themes, ", ")
	}
	return r, err
}

func checkTheme(s *Session, a *args, typing bool) Hint { return checkSet(s, a.of("theme"), typing) }

func completeTheme(s *Session, a *args, w word) []Offer { return completeSet(s, a.of("theme"), w) }

// of is what set would be given for that setting.
func (a *args) of(setting string) *args {
	b := *a
	b.pos = append([]word{{text: setting}}, a.pos...)
	return &b
}

func runHelp(_ context.Context, s *Session, a *args) (Result, error) {
	topic := a.word(0)
	text := s.Help(topic.text)
	if text == "" {
		m := s.unknown(a, topic)
		e := explain(m)
		e.Message = fmt.Sprintf("no help on %q", topic.text)
		return Result{}, e
	}
	return Result{Text: text}, nil
}

func completeHelp(s *Session, _ *args, _ word) []Offer {
	var items []Offer
	for _, c := range s.commands {
		items = append(items, Offer{Text: c.name, Help: c.help})
	}
	return append(items, offersOf(s.topics(), "", "")...)
}
