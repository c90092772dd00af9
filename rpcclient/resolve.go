package rpcclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// ErrDiscovery says that no server was found behind the name of a target: DNS
// does not know it, none is registered in etcd, or whoever knows cannot be
// reached. Nothing was sent, and the client goes on looking.
var ErrDiscovery = errors.New("no server found")

// Resolver finds the servers behind a name, and keeps looking: servers come and
// go while a client lives. [Config.Resolvers] says which one follows the targets
// of a scheme. It is safe for concurrent use, and may serve many clients. One that
// has the method Check(name string) error as well is asked by [New] whether a
// target makes sense; Check connects to nobody.
type Resolver interface {
	// Watch tells update the servers behind name, now and whenever they change,
	// until ctx ends. A server is host:port or unix:///path; those that cannot be
	// connected to, doubles and what is beyond the first 1000 are left out by the
	// client. An empty list is taken for an error. An error in update, with or
	// without a list, keeps the last good list; it may be told again and again
	// while it lasts, with the words of the moment, and the next list is its end.
	// An error that is returned is final; nil means that the list will not change
	// any more.
	//
	// The name is what stands behind scheme:/// in the target. If there is
	// something between the slashes, as in scheme://HOST/NAME, it is //HOST/NAME.
	//
	// Update is called by one goroutine at a time, keeps nothing of the slice, and
	// is not called after Watch has returned.
	Watch(ctx context.Context, name string, update func(servers []string, err error)) error
}

// watch tells update the servers of the target. A list that stands in it is told
// once, and that is all; else it returns when ctx ends, or with an error that is
// final. A list in update has at least one server and comes without an error; an
// error comes without a list and keeps the last one. Every error is a *failure.
func (t *target) watch(ctx context.Context, update func(servers []string, err error)) error {
	if t.resolver == nil {
		update(t.servers, nil)
		return nil
	}
	told, warned := false, ""
	tell := func(given []string, err error) {
		if ctx.Err() != nil {
			return
		}
		told = true
		servers, unusable := usable(given)
		if unusable != "" && unusable != warned && t.warn != nil {
			t.warn("a server cannot be used", "target", printable(t.text, 200), "cause", unusable)
		}
		warned = unusable
		switch {
		case err != nil:
		case len(servers) > 0:
			update(servers, nil)
			return
		case unusable != "":
			err = errors.New(unusable)
		default:
			err = errors.New("nobody is there")
		}
		update(nil, undiscovered(err))
	}
	var err error
	if d, ok := t.resolver.(*dns); ok {
		err = d.watch(ctx, t.name, t.urgent, tell)
	} else {
		err = t.resolver.Watch(ctx, t.name, tell)
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case err == nil && !told:
		err = errors.New("its resolver has ended without a list")
	case err == nil:
		return nil
	}
	return undiscovered(err)
}

// hurry asks to look again sooner than it is time to, because servers cannot be
// reached: perhaps they have moved. It never blocks; resolvers that are told of
// changes at once, and lists that stand, need no hurry.
func (t *target) hurry() {
	select {
	case t.urgent <- struct{}{}:
	default: // nil, or a wish waits there already
	}
}

// undiscovered is an error of a resolver as callers see it, and Stats. Its words
// are the resolver's own; only what the standard library says of DNS is made plain.
func undiscovered(err error) *failure {
	text := printable(err.Error(), 300)
	if _, ok := err.(*net.DNSError); ok {
		text = reason(err, lookupTime)
	}
	return fail(ErrDiscovery, Unavailable, err, "%s", text)
}

// usable returns those of a resolver's servers that can be used, and what is
// wrong with the others. Nobody vouches for what a resolver says.
func usable(given []string) (servers []string, unusable string) {
	bad := 0
	for _, s := range given {
		problem := serverProblem(s)
		if problem == "" {
			servers = append(servers, s)
			continue
		}
		if bad++; bad == 1 {
			unusable = fmt.Sprintf("%q: %s", printable(s, 100), problem)
		}
	}
	if bad > 1 {
		unusable += fmt.Sprintf("; and %d more", bad-1)
	}
	servers = distinct(servers)
	if n := len(servers); n > maxServers {
		servers = servers[:maxServers]
		unusable = fmt.Sprintf("%d servers are too many, the first %d are used", n, maxServers)
	}
	return servers, unusable
}

// serverProblem says why a server that a resolver named cannot be one; "" if it
// may be.
func serverProblem(text string) string {
	if path, ok := strings.CutPrefix(text, "unix://"); ok {
		if !strings.HasPrefix(path, "/") || len(path) > 255 || strings.ContainsRune(path, 0) {
			return "a socket is written unix:///path"
		}
		return ""
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "it is not written host:port"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "a port is a number from 1 to 65535"
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.IsUnspecified() || ip.IsMulticast() {
			return "nobody can be reached at that address"
		}
		return ""
	}
	if !plainHost(host) {
		return "its host is neither an address nor a name"
	}
	return ""
}

// plainHost reports whether a name has the letters and the length of a host's.
func plainHost(name string) bool {
	odd := func(r rune) bool {
		return r != '.' && r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}
	return name != "" && len(name) <= 253 && !strings.ContainsFunc(name, odd) && strings.Trim(name, ".-") != ""
}
