package main

import (
	"strings"

	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcclient/etcd"
)

// client is what every connection of the console is made with.
func (p *program) client() rpcclient.Config {
	return rpcclient.Config{Resolvers: map[string]rpcclient.Resolver{"etcd": etcd.New(&etcd.Config{Endpoints: p.etcds()})}}
}

// etcds is where etcd:///NAME looks, if RPCKIDS_ETCD says so: one endpoint, or several behind commas. A target etcd://HOST:PORT/NAME says it by itself.
func (p *program) etcds() []string {
	if text := p.env("RPCKIDS_ETCD"); text != "" {
		return strings.Split(text, ",")
	}
	return nil
}
