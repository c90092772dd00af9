package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rpckids/rpckids/internal/shape"
)

// Setting is a value of `set` and where it came from.
type Setting struct {
	Value  string
	Origin string // "flag", "env", "set" or "default"
}

// settingRow describes one setting.
type settingRow struct {
	name, start string
	values      []string // all it may be; nil: a duration
	help        string
}

var settingRows = []settingRow{
	{"timeout", "5s", nil, "how long a call may take; off: for ever"},
	{"strict", "off", []string{"on", "off"}, "a reply of an unregistered type is an error"},
	{"box", "auto", []string{"auto", "unicode", "ascii"}, "what lines and marks are drawn with"},
	{"motion", "on", []string{"on", "off"}, "spinners and charts that move"},
	{"theme", "auto", Themes, "the colours"},
}

// Themes are the names that the setting theme may have: whoever lists them takes them from here, and the faces draw each of them. It is not to be changed.
var Themes = []string{"auto", "dark", "light", "mono", "high-contrast", "colour-blind"}

func settingNamed(name string) *settingRow {
	for i := range settingRows {
		if settingRows[i].name == name {
			return &settingRows[i]
		}
	}
	return nil
}

func settingNames() []string {
	names := make([]string, len(settingRows))
	for i, r := range settingRows {
		names[i] = r.name
	}
	return names
}

// CheckSetting says whether a setting of that name may have that value. Its error is an *Error with the good values.
func CheckSetting(name, value string) error {
	r := settingNamed(name)
	if r == nil {
		hint := "settings are " + strings.Join(settingNames(), ", ")
		if near := shape.Nearest(name, settingNames()); near != "" {
			hint = "nearest is " + near
		}
		return &Error{Exit: ExitUsage, Message: fmt.Sprintf("no setting %q", name), Hint: hint}
	}
	if r.values == nil {
		_, err := parseTimeout(value)
		return err
	}
	if !slices.Contains(r.values, value) {
		return &Error{Exit: ExitUsage, Message: fmt.Sprintf("%s cannot be %q", name, value), Hint: "it is one of " + strings.Join(r.values, ", ")}
	}
	return nil
}

// parseTimeout reads a time limit: a duration, or off for none.
func parseTimeout(text string) (time.Duration, error) {
	if text == "off" || text == "0" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, &Error{Exit: ExitUsage, Message: fmt.Sprintf("%q is not a time", text), Hint: "as 50ms, 2s, 1m30s; off for no limit"}
	}
	return d, nil
}

// startSettings are the settings of a new session.
func startSettings(given map[string]Setting) map[string]Setting {
	all := map[string]Setting{}
	for _, r := range settingRows {
		all[r.name] = Setting{r.start, "default"}
		if g, ok := given[r.name]; ok && CheckSetting(r.name, g.Value) == nil {
			all[r.name] = g
		}
	}
	return all
}

// Setting returns the value of a setting; "" for an unknown name. docs/COMMANDS.md lists them.
func (s *Session) Setting(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings[name].Value
}

func (s *Session) settingOf(name string) Setting {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings[name]
}

func (s *Session) change(name string, v Setting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settings[name] = v
}

// timeout is the time limit of a call that says nothing of its own.
func (s *Session) timeout() time.Duration {
	d, _ := parseTimeout(s.Setting("timeout")) // it was checked when it was set
	return d
}
