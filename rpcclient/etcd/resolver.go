package etcd

import (
	"context"
	"fmt"
	"io"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/grpclog"

	"github.com/rpckids/rpckids/internal/registry"
)

// DefaultEndpoint is where etcd is looked for if nobody says where it is.
const DefaultEndpoint = registry.Endpoint

// Config says how etcd is reached. A nil *Config and the zero value both mean an
// etcd at [DefaultEndpoint].
type Config struct {
	// Endpoints are where etcd is, written host:port, http://host:port or
	// https://host:port, if the target does not name them itself; none means
	// DefaultEndpoint.
	Endpoints []string

	// Etcd is what else a client of etcd is made of, one for each target that is
	// watched: TLS, user. Its Endpoints are not looked at. Without a Logger it is
	// silent.
	Etcd clientv3.Config

	// Client, if set, is used for all targets instead, and closed by its owner;
	// targets may not name endpoints then.
	Client *clientv3.Client

	// Prefix is what the keys begin with, and ends in a slash; "" means /rpckids/.
	Prefix string
}

// Resolver follows names in etcd; it is an rpcclient.Resolver. New makes one. It
// is safe for concurrent use and needs no closing: what it opens for a target
// lasts as long as that is watched.
type Resolver struct{ cfg Config }

// New returns a resolver. It does not talk to etcd before a client watches.
func New(config *Config) *Resolver {
	r := new(Resolver)
	if config != nil {
		r.cfg = *config
	}
	return r
}

// parse splits the name of a target, NAME or //HOST:PORT,HOST:PORT/NAME.
func (r *Resolver) parse(text string) (endpoints []string, name string, err error) {
	name, endpoints = text, r.cfg.Endpoints
	if rest, ok := strings.CutPrefix(text, "//"); ok {
		hosts, base, _ := strings.Cut(rest, "/")
		if r.cfg.Client != nil {
			return nil, "", fmt.Errorf("this program has its own connection to etcd: leave out %q, as in etcd:///%s", hosts, base)
		}
		name, endpoints = base, strings.Split(hosts, ",")
	}
	if err := registry.CheckName(name); err != nil {
		return nil, "", err
	}
	endpoints, err = registry.Endpoints(endpoints)
	return endpoints, name, err
}

// Check says what is wrong with the name of a target.
func (r *Resolver) Check(name string) error {
	_, _, err := r.parse(name)
	return err
}

// Watch implements rpcclient.Resolver: it lists the servers, follows what changes,
// and lists them again now and then. While etcd cannot be reached it says so every
// few seconds.
func (r *Resolver) Watch(ctx context.Context, name string, update func(servers []string, err error)) error {
	endpoints, name, err := r.parse(name)
	if err != nil {
		return err
	}
	client := r.cfg.Client
	if client == nil {
		cfg := r.cfg.Etcd
		cfg.Endpoints, cfg.Context = endpoints, ctx
		if client, err = registry.Connect(cfg); err != nil {
			return err
		}
		defer client.Close()
	}
	f := follower{client: client, prefix: registry.Key(r.cfg.Prefix, name, ""), update: update}
	f.run(ctx)
	return nil
}

// Quiet silences the logger that all connections to etcd of this process share,
// whoever made them: grpc's own, which writes errors to standard error. It is for
// programs that draw on the terminal; call it first in main.
func Quiet() { grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard)) }
