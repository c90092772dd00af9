package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/rpcclient"
)

// explain turns an error of a call into what a user is told. What the items of an upload failed of is the console's own error, and stays it.
func (b *backend) explain(ctx context.Context, err error) *console.Error {
	if e, ok := errors.AsType[*console.Error](err); ok {
		return e
	}
	told := trusting(b.ca, explain(err))
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		told.Exit, told.Code = console.ExitInterrupted, ""
	case errors.Is(err, rpcclient.ErrNoStreams) && b.protocol == "v1":
		told.Hint = "this connection may only speak v1: connect with --proto auto"
	case b.protocol == "v2" && told.Exit == console.ExitConnection && b.client.Stats().Received == 0 && (wordless(err) || !errors.Is(err, rpcclient.ErrConnectionLost)):
		told.Hint = "nothing has come over v2 yet: --proto auto tries v1 first"
	}
	return b.unwelcome(told, err)
}

// full is what lies behind a connection that is closed as soon as it is there.
const full = "the server closed the connection before its first reply; it may be full (--max-conns, --max-conns-per-addr)"

// unwelcome is an error of a connection over which nothing has ever come. A server that has no room closes without a word, whatever it is asked and whatever it speaks.
func (b *backend) unwelcome(told *console.Error, err error) *console.Error {
	s := b.client.Stats()
	if s.Received > 0 {
		return told
	}
	switch begunV2 := b.protocol == "v2" || b.token; {
	case errors.Is(err, rpcclient.ErrConnectionLost) && (wordless(err) || !begunV2 && hungUp(err)):
		told.Likely = full
	case errors.Is(err, rpcclient.ErrNoStreams) && s.State != rpcclient.Connected: // it was asked whether it speaks v2, and closed that connection and the other one
		return &console.Error{Exit: console.ExitConnection, Message: "connection lost: the server closed it", Likely: full, Hint: "the next call connects again", Cause: err}
	}
	return told
}

// wordless says whether the server has ended a connection of version 2 without answering its first words.
func wordless(err error) bool { return strings.Contains(err.Error(), "may not speak v2") }

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// explain turns an error of rpcclient into what a user is told.
func explain(err error) *console.Error {
	e, ok := errors.AsType[*rpcclient.Error](err)
	if !ok {
		return &console.Error{Exit: console.ExitInternal, Message: console.Printable(err.Error()), Cause: err}
	}
	told := &console.Error{Code: e.Code.String(), Message: message(e), RetryAfter: e.RetryAfter, Details: e.Details, Cause: err}
	told.Exit, told.Hint = cure(e)
	if e.Kind != rpcclient.ErrServer && e.Kind != rpcclient.ErrNoStreams && told.Exit != console.ExitDeadline {
		told.Code = "" // the name follows from the exit code: no server said it
	}
	return told
}

// message is the cause in one line. Which server it was is in sight anyway, except where there is no connection yet.
func message(e *rpcclient.Error) string {
	text := e.Message
	switch {
	case text == "":
		text = e.Code.String()
	case e.Kind == rpcclient.ErrConnect && strings.Contains(e.Server, ","): // the causes name the servers
		text = oneCause(text)
	case (e.Kind == rpcclient.ErrConnect || e.Kind == rpcclient.ErrDiscovery) && e.Server != "":
		text = e.Server + ": " + text
	}
	if e.Attempts > 1 {
		text = fmt.Sprintf("%s (%d attempts)", text, e.Attempts)
	}
	return console.Printable(text)
}

// oneCause writes "cannot connect to any of 2 servers: a:1: refused; b:2: refused" with the cause once, where it is the same for all that are named.
func oneCause(text string) string {
	head, list, ok := strings.Cut(text, " servers: ")
	if !ok {
		return text
	}
	one, rest := "", ""
	for part := range strings.SplitSeq(list, "; ") {
		if strings.HasPrefix(part, "and ") && strings.HasSuffix(part, " more") {
			rest = "; " + part
			continue
		}
		_, cause, named := strings.Cut(part, ": ")
		if !named || one != "" && cause != one {
			return text
		}
		one = cause
	}
	return head + " servers: " + one + rest
}

// cure says how the program ends with such an error and what the user can do about it.
func cure(e *rpcclient.Error) (exit console.Exit, hint string) {
	if exit, hint, ok := tlsCure(e); ok {
		return exit, hint
	}
	switch e.Kind {
	case rpcclient.ErrConfig:
		if strings.Contains(e.Message, "token") {
			return console.ExitUsage, "the token is what --token says, else RPCKIDS_TOKEN"
		}
		return console.ExitUsage, "help connect lists its flags"
	case rpcclient.ErrTarget:
		return console.ExitUsage, "as in localhost:8888, :8888, [::1]:8888, a:1,b:2, unix:///path, dns:///name:8888, etcd:///name"
	case rpcclient.ErrConnect:
		if _, unknown := errors.AsType[*net.DNSError](e); unknown {
			return console.ExitConnect, "check the name; a server on this machine is localhost:8888"
		}
		return console.ExitConnect, "is the server running there? " + starter(e.Server)
	case rpcclient.ErrDiscovery:
		if _, unknown := errors.AsType[*net.DNSError](e); unknown {
			return console.ExitConnect, "check the name; a server on this machine is localhost:8888"
		}
		if strings.HasPrefix(e.Server, "etcd:") {
			return console.ExitConnect, etcdCure(e)
		}
		return console.ExitConnect, ""
	case rpcclient.ErrConnectionLost:
		return console.ExitConnection, "the next call connects again; the server may have run this one"
	case rpcclient.ErrProtocol:
		return console.ExitConnection, "another kind of server seems to listen there; rpckids-server speaks this protocol"
	case rpcclient.ErrContext:
		if errors.Is(e, context.DeadlineExceeded) {
			return console.ExitDeadline, "wait longer with --timeout 30s, or set timeout 30s"
		}
		return console.ExitInterrupted, ""
	case rpcclient.ErrServer:
		return serverCure(e)
	case rpcclient.ErrNoStreams:
		return console.ExitServer, "v1 takes only call and cast; reconnect asks the server again whether it speaks v2"
	case rpcclient.ErrReply:
		return console.ExitType, "the server is at fault, or means another type than it is taken for"
	case rpcclient.ErrPayload:
		return console.ExitType, "a payload is one JSON value"
	case rpcclient.ErrTooLarge:
		return console.ExitType, "a message has at most 1 MiB: send it in parts"
	case rpcclient.ErrClosed:
		return console.ExitConnect, "connect localhost:8888"
	}
	return console.ExitInternal, ""
}

// etcdCure tells an etcd that is not there from one that knows no such name.
func etcdCure(e *rpcclient.Error) string {
	_, name, _ := strings.Cut(strings.TrimPrefix(e.Server, "etcd://"), "/")
	if strings.Contains(e.Message, "etcd cannot be reached") {
		return "is etcd running there? connect etcd://HOST:PORT/" + console.Printable(name) + " says where else it is"
	}
	return "rpckids-server --etcd URL --name " + console.Printable(name) + " registers one"
}

// starter says how to start a server at a target, or at the first of a list, if it is on this machine.
func starter(target string) string {
	first, _, _ := strings.Cut(target, ",")
	addr := strings.TrimPrefix(first, "rpckids://")
	host, port, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	if here := host == "" || host == "localhost" || ip != nil && ip.IsLoopback(); err != nil || !here || addr == console.DefaultAddr {
		return "rpckids-server starts one on " + console.DefaultAddr
	}
	return "rpckids-server --addr " + console.Printable(net.JoinHostPort(host, port)) + " starts one"
}

func serverCure(e *rpcclient.Error) (exit console.Exit, hint string) {
	switch e.Code {
	case rpcclient.DeadlineExceeded:
		return console.ExitDeadline, "wait longer with --timeout 30s, or set timeout 30s"
	case rpcclient.ResourceExhausted, rpcclient.Unavailable:
		if e.RetryAfter > 0 {
			return console.ExitServer, "the server is busy: try again in " + e.RetryAfter.String()
		}
		return console.ExitServer, "the server is busy: try again in a moment"
	case rpcclient.NotFound, rpcclient.Unimplemented:
		return console.ExitServer, "services lists what is known here"
	case rpcclient.InvalidArgument:
		return console.ExitServer, "change the payload as it says and send it again"
	case rpcclient.Internal:
		return console.ExitServer, "the server's log says more"
	case rpcclient.Unauthenticated:
		return console.ExitServer, "say who you are: --token or RPCKIDS_TOKEN over --tls, or a client certificate with --cert and --key"
	case rpcclient.PermissionDenied:
		return console.ExitServer, "services lists what there is; ask who runs the server to let you"
	}
	return console.ExitServer, ""
}
