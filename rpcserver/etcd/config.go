package etcd

import (
	"log/slog"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/rpckids/rpckids/internal/registry"
)

// DefaultEndpoint is where etcd is looked for if nobody says where it is.
const DefaultEndpoint = registry.Endpoint

// Config says how etcd is reached and how long a server that has died stays in it.
// A nil *Config and the zero value both mean the defaults.
type Config struct {
	// Endpoints are where etcd is, written host:port, http://host:port or
	// https://host:port; none means DefaultEndpoint.
	Endpoints []string

	// Etcd is what else a client of etcd is made of: TLS, user. Its Endpoints are
	// not looked at. Without a Logger it is silent.
	Etcd clientv3.Config

	// Client, if set, is used instead, and closed by its owner.
	Client *clientv3.Client

	// Prefix is what the keys begin with, and ends in a slash; "" means /rpckids/.
	Prefix string

	// TTL is how long the registration outlives its process, in whole seconds, 2 s
	// at least; 0 means 6 s. etcd makes it longer if its own elections take longer.
	TTL time.Duration

	// Lost, if set, is told each time that a registration was found lost, with an
	// *Error of kind ErrLost. It is called by the goroutine that then registers
	// again, so it must return soon and may not call Withdraw.
	Lost func(err error)

	// Logger gets a line when the registration comes, is lost, comes again and
	// goes; nil is silent.
	Logger *slog.Logger
}

// The times of a registration: the pauses between attempts to register again, each
// about twice the one before, and between looks at the key.
const (
	pauseMin  = 250 * time.Millisecond
	pauseMax  = 4 * time.Second
	lookEvery = 10 * time.Second
)

func (c *Config) withDefaults() Config {
	var d Config
	if c != nil {
		d = *c
	}
	d.Etcd.Endpoints = d.Endpoints
	if d.TTL == 0 {
		d.TTL = 6 * time.Second
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return d
}
