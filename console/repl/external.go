package repl

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/rpckids/rpckids/console"
)

// editExternally lets the user change a command in $VISUAL or $EDITOR, and returns it on one line; unchanged when that fails.
func (r *REPL) editExternally(command string) (string, error) {
	edited, err := r.runEditor(command)
	if err != nil {
		return console.OneLine(command), err
	}
	return console.OneLine(edited), nil
}

// runEditor gives the editor a file of its own with the text, and returns what the file holds afterwards.
func (r *REPL) runEditor(text string) (string, error) {
	f, err := os.CreateTemp("", "rpckids-*.rpc") // mode 0600
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(strings.TrimRight(text, "\n") + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	editor := cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR"), "vi")
	// The shell splits an editor that comes with options, as "code --wait".
	cmd := exec.Command("/bin/sh", "-c", editor+` "$1"`, "sh", f.Name())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r.in, r.out, r.out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("editor %s: %w", editor, err)
	}
	b, err := os.ReadFile(f.Name())
	return string(b), err
}
