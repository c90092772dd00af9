//go:build !unix

package lab

import (
	"os"
	"os/exec"

	"github.com/rpckids/rpckids/console"
)

func apart(*exec.Cmd) {}

// errNoSignals is what the orders are answered with that need a system with signals.
func noSignals(what string) error {
	return &console.Error{Exit: console.ExitUsage, Message: "this system cannot " + what + " a process", Hint: "kill and start work everywhere"}
}

func pause(*os.Process) error     { return noSignals("pause") }
func resume(*os.Process) error    { return noSignals("resume") }
func terminate(*os.Process) error { return noSignals("end in order") }
