//go:build unix

package lab

import (
	"os"
	"os/exec"
	"syscall"
)

// apart gives the child a process group of its own: a ctrl+c at the terminal is meant for the console. It is also what has most systems wake a paused child when the
// console is gone: a group that stands still and lost the last one who could wake it gets SIGHUP and SIGCONT.
func apart(c *exec.Cmd) { c.SysProcAttr = orphaned(&syscall.SysProcAttr{Setpgid: true}) }

// pause returns when the process stands: a signal takes a moment, and a console that is gone by then could not be noticed any more.
func pause(p *os.Process) error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for {
		var how syscall.WaitStatus // should the process have ended instead, whoever waits for it learns only that
		if _, err := syscall.Wait4(p.Pid, &how, syscall.WUNTRACED, nil); err != syscall.EINTR {
			return nil
		}
	}
}

func resume(p *os.Process) error    { return p.Signal(syscall.SIGCONT) }
func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }
