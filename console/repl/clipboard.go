package repl

import (
	"io"
	"os"

	"github.com/rpckids/rpckids/console"
)

// clip hands what a command copied to the terminal. One that takes no escapes gets it printed.
func (r *REPL) clip(result console.Result) console.Result {
	if result.Copy != "" && !r.cfg.plain() {
		_, _ = io.WriteString(r.out, console.ClipboardSequence(result.Copy, os.Getenv)) // an error shows again with the next line
		result.Copy = ""
	}
	return result
}
