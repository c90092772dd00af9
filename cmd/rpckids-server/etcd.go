package main

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/spf13/pflag"

	"github.com/rpckids/rpckids/rpcserver"
	"github.com/rpckids/rpckids/rpcserver/etcd"
)

// member is what the command line says about being found through etcd.
type member struct {
	endpoints       []string // none: nobody is told
	name, advertise string
}

func (m *member) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&m.endpoints, "etcd", nil, "`URL` of an etcd that clients find this server in, as in "+etcd.DefaultEndpoint+"; several behind commas")
	f.StringVar(&m.name, "name", "", "`NAME` under which etcd knows the servers of a kind; clients connect to etcd:///NAME")
	f.StringVar(&m.advertise, "advertise", "", "`HOST:PORT` that clients reach this server at; without it what --addr says")
}

func (m *member) check() error {
	switch {
	case len(m.endpoints) == 0 && (m.name != "" || m.advertise != ""):
		return errors.New("--name and --advertise are for --etcd, which is missing")
	case len(m.endpoints) > 0 && m.name == "":
		return errors.New("--etcd needs --name, as in --name demo: clients connect to etcd:///demo then")
	}
	return nil
}

// serve is ListenAndServe for a server that etcd knows before it says that it has started; the channel gets what ended it. Until then the system holds the
// connections of clients that are quicker. Withdraw has to be called before the server is stopped, so that clients have left it.
func (m *member) serve(s *rpcserver.Server, addr string, logger *slog.Logger) (served chan error, withdraw func(), err error) {
	served = make(chan error, 1)
	if len(m.endpoints) == 0 {
		go func() { served <- s.ListenAndServe(addr) }() // ends after Shutdown or with its error; the caller receives
		return served, func() {}, nil
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	address, err := etcd.Address(ln.Addr(), m.advertise)
	if err != nil {
		ln.Close()
		return nil, nil, err
	}
	r, err := etcd.Register(context.Background(), m.name, address, &etcd.Config{Endpoints: m.endpoints, Logger: logger})
	if err != nil {
		ln.Close()
		return nil, nil, err
	}
	if host, _, _ := net.SplitHostPort(address); net.ParseIP(host).IsLoopback() {
		logger.Info("only clients on this machine can reach that address; --addr and --advertise change it", "address", address)
	}
	go func() { served <- s.Serve(ln) }() // ends after Shutdown or with its error; the caller receives
	return served, func() {
		if err := r.Withdraw(context.Background()); err != nil {
			logger.Warn("etcd keeps the address until its lease is over", "cause", printable(err.Error()))
		}
	}, nil
}

// explainMember says an error of a registration with its cure.
func explainMember(e *etcd.Error) (code int, cause, cure string) {
	if e.Kind == etcd.ErrConfig {
		return exitUsage, printable(e.Error()), "--name names the servers of a kind, --advertise host:port says where clients reach this one, --etcd URL where etcd is"
	}
	return exitError, printable(e.Error()), "is etcd running there? --etcd says where it is, as in --etcd " + etcd.DefaultEndpoint
}
