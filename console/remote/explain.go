package remote

import (
	"context"
	"errors"
	"net"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/rpcclient"
)

// explain turns an error of rpcclient into what a user is told.
func explain(err error) error {
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*rpcclient.Error](err)
	if !ok {
		return &console.Error{Exit: console.ExitInternal, Message: err.Error(), Cause: err}
	}
	told := &console.Error{
		Code:       e.Code.String(),
		Message:    console.Printable(e.Error()),
		RetryAfter: e.RetryAfter,
		Details:    e.Details,
		Cause:      err,
	}
	told.Exit, told.Hint = cure(e)
	if e.Kind == rpcclient.ErrServer {
		told.Message = console.Printable(e.Message) // the face shows the code beside it
		if told.Message == "" {
			told.Message = e.Code.String()
		}
	} else if told.Exit != console.ExitDeadline {
		told.Code = "" // the name follows from the exit code: no server said it
	}
	return told
}

// cure says how the program ends with such an error and what the user can do about it.
func cure(e *rpcclient.Error) (exit console.Exit, hint string) {
	switch e.Kind {
	case rpcclient.ErrTarget:
		return console.ExitUsage, "as in localhost:8888, :8888, [::1]:8888, unix:///path"
	case rpcclient.ErrConnect:
		if _, unknown := errors.AsType[*net.DNSError](e); unknown {
			return console.ExitConnect, "check the name; a server on this machine is localhost:8888"
		}
		return console.ExitConnect, "is the server running there? rpckids-server starts one on localhost:8888"
	case rpcclient.ErrConnectionLost:
		return console.ExitConnection, "the next call connects again; the server may have run this one"
	case rpcclient.ErrProtocol:
		return console.ExitConnection, "another kind of server seems to listen there; rpckids-server speaks this protocol"
	case rpcclient.ErrContext:
		if errors.Is(e, context.DeadlineExceeded) {
			return console.ExitDeadline, "wait longer with --timeout 30s, or set timeout 30s; a plain v1 server that fails may send no reply"
		}
		return console.ExitInterrupted, ""
	case rpcclient.ErrServer:
		return serverCure(e)
	case rpcclient.ErrReply, rpcclient.ErrPayload, rpcclient.ErrTooLarge:
		return console.ExitType, ""
	case rpcclient.ErrClosed:
		return console.ExitConnect, "connect localhost:8888"
	}
	return console.ExitInternal, ""
}

func serverCure(e *rpcclient.Error) (exit console.Exit, hint string) {
	switch e.Code {
	case rpcclient.DeadlineExceeded:
		return console.ExitDeadline, "wait longer with --timeout 30s, or set timeout 30s"
	case rpcclient.ResourceExhausted, rpcclient.Unavailable:
		return console.ExitServer, "the server is busy: try again in a moment"
	}
	return console.ExitServer, ""
}
