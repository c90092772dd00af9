package rpcclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How often names are looked up: every 15 to 30 s, so that many clients do not
// ask in step and a new server has its share within half a minute; after a lookup
// that failed, and when servers cannot be reached, from 1 s on, and each time
// twice as long, as far as that.
const (
	lookupMin  = 15 * time.Second
	lookupMax  = 30 * time.Second
	lookupSoon = time.Second
	lookupTime = 5 * time.Second // for one lookup
)

// DNS returns the resolver for dns targets that asks through r; nil means the
// resolver of the system, and then dns targets need no DNS in Config.Resolvers.
//
// The target dns:///name:port means all addresses of the name, and
// dns:///_service._proto.name or a name without a port its SRV records, which
// bring ports along: those of the best priority; weights are not looked at,
// because clients measure. dns://server/name:port asks that name server,
// host or host:port, instead. It is looked up every 15 to 30 s, sooner after a
// lookup that failed or when servers cannot be reached; while lookups fail or
// find nothing the last good list stays.
func DNS(r *net.Resolver) Resolver {
	if r == nil {
		r = net.DefaultResolver
	}
	return &dns{r}
}

// asker is the part of *net.Resolver that is used.
type asker interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, records []*net.SRV, err error)
}

type dns struct{ asker asker }

// question is the name of a dns target, understood.
type question struct {
	server     string // to ask, host:port; "": the usual one
	host, port string // no port: SRV records are asked for
}

func parseQuestion(name string) (q question, err error) {
	rest, asked := strings.CutPrefix(name, "//")
	if asked {
		q.server, rest, _ = strings.Cut(rest, "/")
		if _, _, err := net.SplitHostPort(q.server); err != nil {
			q.server = net.JoinHostPort(strings.Trim(q.server, "[]"), "53")
		}
		if problem := serverProblem(q.server); problem != "" {
			return q, fmt.Errorf("name server %q: %s; without one it is dns:///name:port, with three slashes", q.server, problem)
		}
	}
	q.host = rest
	if host, port, err := net.SplitHostPort(rest); err == nil {
		q.host, q.port = host, port
	}
	const form = "a dns target is written dns:///name:port, or dns:///_service._proto.name for SRV records"
	n, err := strconv.ParseUint(q.port, 10, 16)
	switch {
	case !plainHost(q.host) && !isIP(q.host):
		return q, fmt.Errorf("%q is not a name; %s", q.host, form)
	case strings.HasPrefix(q.host, "_") && q.port != "":
		return q, fmt.Errorf("SRV records bring ports along: leave out :%s", q.port)
	case strings.HasSuffix(rest, ":") || q.port != "" && (err != nil || n == 0):
		return q, fmt.Errorf("a port is a number from 1 to 65535; %s", form)
	case q.port == "" && isIP(q.host):
		return q, fmt.Errorf("the port is missing; %s", form)
	}
	return q, nil
}

func isIP(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

func (d *dns) Check(name string) error {
	_, err := parseQuestion(name)
	return err
}

// host returns the name whose addresses are asked for: their certificates are in
// that name. SRV records have names of their own.
func (d *dns) host(name string) string {
	if q, err := parseQuestion(name); err == nil && q.port != "" {
		return q.host
	}
	return ""
}

func (d *dns) Watch(ctx context.Context, name string, update func(servers []string, err error)) error {
	return d.watch(ctx, name, nil, update)
}

// watch is Watch; what comes through urgent asks for a lookup soon.
func (d *dns) watch(ctx context.Context, name string, urgent <-chan struct{}, update func(servers []string, err error)) error {
	q, err := parseQuestion(name)
	if err != nil {
		return err
	}
	var last []string
	soon := lookupSoon
	for {
		servers, err := d.look(ctx, q)
		if ctx.Err() != nil {
			return nil
		}
		update(servers, err)
		if err == nil && !slices.Equal(servers, last) {
			last, soon = servers, lookupSoon
		}
		pause := lookupMin + rand.N(lookupMax-lookupMin)
		if err != nil {
			pause = min(soon+rand.N(soon/2), pause)
			soon = min(2*soon, lookupMin)
		}
		hurried, ok := wait(ctx, pause, soon, urgent)
		if !ok {
			return nil
		}
		if hurried {
			soon = min(2*soon, lookupMin)
		} else if err == nil {
			soon = lookupSoon
		}
	}
}

// wait waits for pause, or for soon if there is a hurry before that. False: ctx
// ended.
func wait(ctx context.Context, pause, soon time.Duration, urgent <-chan struct{}) (hurried, ok bool) {
	start := time.Now()
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return hurried, true
		case <-urgent:
			urgent, hurried = nil, true // the next wish waits in the channel
			timer.Reset(max(0, min(pause, soon)-time.Since(start)))
		case <-ctx.Done():
			return hurried, false
		}
	}
}

// look asks once. The order of the answer does not depend on the name server's.
func (d *dns) look(ctx context.Context, q question) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	if q.port == "" {
		return d.records(ctx, q)
	}
	ips, err := d.through(q).LookupNetIP(ctx, "ip", q.host)
	if err != nil {
		return nil, err
	}
	for i, ip := range ips {
		ips[i] = ip.Unmap()
	}
	slices.SortFunc(ips, netip.Addr.Compare)
	var servers []string
	for _, ip := range slices.Compact(ips) {
		servers = append(servers, net.JoinHostPort(ip.String(), q.port))
	}
	if len(servers) == 0 {
		return nil, fmt.Errorf("the name %q has no address", q.host)
	}
	return servers, nil
}

// records returns what the SRV records of the best priority say. Their hosts stay
// names: they are what certificates are for.
func (d *dns) records(ctx context.Context, q question) ([]string, error) {
	_, found, err := d.through(q).LookupSRV(ctx, "", "", q.host)
	found = slices.DeleteFunc(slices.Clone(found), func(r *net.SRV) bool { return strings.Trim(r.Target, ".") == "" }) // RFC 2782: "." says that there is no service
	if len(found) == 0 {
		if e, ok := errors.AsType[*net.DNSError](err); err != nil && !(ok && e.IsNotFound) {
			return nil, err
		}
		return nil, fmt.Errorf("the name %q has no SRV records; with a port, as in dns:///name:8888, its addresses are used", q.host)
	}
	best := slices.MinFunc(found, func(a, b *net.SRV) int { return cmp.Compare(a.Priority, b.Priority) }).Priority
	var servers []string
	for _, r := range found {
		if r.Priority == best {
			servers = append(servers, net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port))))
		}
	}
	slices.Sort(servers)
	return slices.Compact(servers), nil
}

// through returns whom to ask.
func (d *dns) through(q question) asker {
	if q.server == "" {
		return d.asker
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, q.server)
	}}
}
