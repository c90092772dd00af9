package dash

import (
	"fmt"
	"runtime/debug"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
)

// fault is a panic of our own. It ends the program in order, with the terminal as it was, and is told afterwards.
type fault struct {
	value any
	stack []byte
}

func (f *fault) Error() string { return fmt.Sprintf("panic: %v\n%s", f.value, f.stack) }

// told is what the caller of Run sees of the end of a program that failed.
func told(err error) error {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return &console.Error{Exit: console.ExitInternal, Message: "the dashboard failed: " + console.Printable(first), Hint: "this is a fault of the console, please report it with the lines below", Cause: err}
}

// recovered turns a panic that is under way into a fault; it is deferred.
func recovered(end func(error)) {
	if p := recover(); p != nil {
		end(&fault{p, debug.Stack()})
	}
}

// guarded makes a command whose panic ends the program in order.
func guarded(f func() tea.Msg) tea.Cmd {
	return func() (msg tea.Msg) {
		defer recovered(func(err error) { msg = panicMsg{err} })
		return f()
	}
}
