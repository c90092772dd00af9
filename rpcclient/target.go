package rpcclient

import (
	"fmt"
	"net"
	"strings"

	"github.com/rpckids/rpckids/internal/wire"
)

// target is where a client connects to.
type target struct {
	text             string // as the user wrote it
	network, address string // as net.Dial takes them
}

// parseTarget understands host:port, :port, rpckids://host:port and
// unix:///path. What is wrong with anything else is said in plain words.
func parseTarget(text string) (target, error) {
	if path, ok := strings.CutPrefix(text, "unix://"); ok {
		if !strings.HasPrefix(path, "/") {
			return target{}, badTarget(text, wire.InvalidArgument, "a socket is written unix:///path")
		}
		return target{text, "unix", path}, nil
	}
	address := strings.TrimPrefix(text, "rpckids://")
	if scheme, _, ok := strings.Cut(address, "://"); ok {
		if scheme == "dns" || scheme == "etcd" {
			return target{}, badTarget(text, wire.Unimplemented, "%s targets are not supported yet", scheme)
		}
		return target{}, badTarget(text, wire.InvalidArgument, "unknown scheme %q: use host:port, rpckids:// or unix://", scheme)
	}
	if strings.Contains(address, ",") {
		return target{}, badTarget(text, wire.Unimplemented, "several addresses are not supported yet")
	}
	_, port, err := net.SplitHostPort(address)
	switch {
	case address == "":
		return target{}, badTarget(text, wire.InvalidArgument, "it is empty; an address is written host:port, as in localhost:8888")
	case err != nil:
		reason := err.Error()
		if e, ok := err.(*net.AddrError); ok {
			reason = e.Err
		}
		return target{}, badTarget(text, wire.InvalidArgument, "%s; an address is written host:port, as in localhost:8888", reason)
	case port == "":
		return target{}, badTarget(text, wire.InvalidArgument, "the port is missing, as in localhost:8888")
	}
	return target{text, "tcp", address}, nil
}

func badTarget(text string, code Code, format string, args ...any) error {
	message := fmt.Sprintf("bad target %q: ", text) + fmt.Sprintf(format, args...)
	return &Error{Status: Status{Code: code, Message: message}, Kind: ErrTarget}
}
