package rpcclient

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/rpckids/rpckids/internal/wire"
)

// maxServers is how many servers a client takes from a list or a resolver. What
// a resolver gives beyond them is left out.
const maxServers = 1000

// target is where a client finds its servers: a list that stands in the target
// itself, or a name that a resolver follows.
type target struct {
	text    string   // as the user wrote it
	servers []string // host:port and unix:///path, no two alike; nil: the resolver knows

	resolver Resolver
	name     string        // what the resolver is asked for
	host     string        // of dns:///host:port: whose certificate the servers show; else ""
	urgent   chan struct{} // has room for one: a wish to look again soon
	warn     func(message string, args ...any)
}

// parseTarget understands one address or several behind commas, and any scheme
// that a resolver is there for. An address is host:port, :port,
// rpckids://host:port or unix:///path. What is wrong with anything else is said in
// plain words. A nil cfg has no resolvers but that for dns.
func parseTarget(text string, cfg *Config) (target, error) {
	t := target{text: text}
	scheme, rest, found := strings.Cut(text, "://")
	if found && scheme != "unix" && scheme != "rpckids" && !strings.Contains(scheme, ",") {
		return t.through(scheme, rest, cfg)
	}
	parts := strings.Split(text, ",")
	for _, part := range parts {
		server, problem := parseServer(strings.TrimSpace(part))
		if problem != "" && len(parts) > 1 {
			problem = fmt.Sprintf("%q: %s", strings.TrimSpace(part), problem)
		}
		if problem != "" {
			return target{}, badTarget(text, wire.InvalidArgument, "%s", problem)
		}
		t.servers = append(t.servers, server)
	}
	t.servers = distinct(t.servers)
	if len(t.servers) > maxServers {
		return target{}, badTarget("...", wire.InvalidArgument, "%d addresses are too many, at most %d may be given", len(t.servers), maxServers)
	}
	return t, nil
}

// through sets the resolver of a scheme.
func (t target) through(scheme, rest string, cfg *Config) (target, error) {
	if cfg != nil {
		t.resolver = cfg.Resolvers[scheme]
		if cfg.Logger != nil {
			t.warn = cfg.Logger.Warn
		}
	}
	switch {
	case t.resolver != nil:
	case scheme == "dns":
		t.resolver = DNS(nil)
	case scheme == "etcd":
		return target{}, badTarget(t.text, wire.Unimplemented, `etcd targets need a resolver: set Config.Resolvers["etcd"] to one of package rpcclient/etcd`)
	default:
		return target{}, badTarget(t.text, wire.InvalidArgument, "unknown scheme %q: use host:port, rpckids://, unix://, dns:/// or etcd:///", scheme)
	}
	name, plain := strings.CutPrefix(rest, "/")
	if !plain {
		_, name, _ = strings.Cut(rest, "/")
	}
	switch t.name = name; {
	case name == "":
		return target{}, badTarget(t.text, wire.InvalidArgument, "there is no name in it; it is written %s:///NAME, with three slashes", scheme)
	case !plain:
		t.name = "//" + rest
	}
	if c, ok := t.resolver.(checker); ok {
		if err := c.Check(t.name); err != nil {
			return target{}, badTarget(t.text, wire.InvalidArgument, "%s", err)
		}
	}
	if d, ok := t.resolver.(*dns); ok {
		t.host, t.urgent = d.host(t.name), make(chan struct{}, 1)
	}
	return t, nil
}

// checker is a resolver that knows a bad name without looking it up.
type checker interface{ Check(name string) error }

// parseServer returns an address as a list holds it, or what is wrong with it.
func parseServer(text string) (server, problem string) {
	if path, ok := strings.CutPrefix(text, "unix://"); ok {
		if !strings.HasPrefix(path, "/") {
			return "", "a socket is written unix:///path"
		}
		return text, ""
	}
	address := strings.TrimPrefix(text, "rpckids://")
	if scheme, _, ok := strings.Cut(address, "://"); ok {
		return "", fmt.Sprintf("a list holds addresses alone; a target of the scheme %q stands by itself", scheme)
	}
	_, port, err := net.SplitHostPort(address)
	switch {
	case address == "":
		return "", "it is empty; an address is written host:port, as in localhost:8888"
	case err != nil:
		reason := err.Error()
		if e, ok := err.(*net.AddrError); ok {
			reason = e.Err
		}
		return "", reason + "; an address is written host:port, as in localhost:8888"
	case port == "":
		return "", "the port is missing, as in localhost:8888"
	case strings.ContainsFunc(address, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return "", "there is a space in it; an address is written host:port, as in localhost:8888"
	}
	if _, err := strconv.ParseUint(port, 10, 16); errors.Is(err, strconv.ErrRange) {
		return "", fmt.Sprintf("port %s is too high, 65535 is the highest", port)
	}
	return address, ""
}

// dialed returns a server of a list as net.Dial takes it.
func dialed(server string) (network, address string) {
	if path, ok := strings.CutPrefix(server, "unix://"); ok {
		return "unix", path
	}
	return "tcp", server
}

// distinct leaves out what stands in the list before, and keeps its order. Case
// makes no difference between names of hosts, but between sockets.
func distinct(servers []string) []string {
	seen := make(map[string]bool, len(servers))
	return slices.DeleteFunc(servers, func(s string) bool {
		if !strings.HasPrefix(s, "unix://") {
			s = strings.ToLower(s)
		}
		known := seen[s]
		seen[s] = true
		return known
	})
}

func badTarget(text string, code Code, format string, args ...any) error {
	message := fmt.Sprintf("bad target %q: ", text) + fmt.Sprintf(format, args...)
	return &Error{Status: Status{Code: code, Message: message}, Kind: ErrTarget}
}
