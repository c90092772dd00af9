// Package registry is what servers and clients agree about when they meet in etcd:
// where it is, how its keys are laid out, how it is connected to, and in which
// words its failures are told.
package registry

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const (
	// Endpoint is where etcd is looked for if nobody says where it is.
	Endpoint = "http://127.0.0.1:2379"

	// Prefix is what the keys of all servers begin with.
	Prefix = "/rpckids/"

	// AnswerTime is what etcd has for one answer, its connection included.
	AnswerTime = 2 * time.Second
)

var goodName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// CheckName says what is wrong with a name that servers share.
func CheckName(name string) error {
	if goodName.MatchString(name) {
		return nil
	}
	return fmt.Errorf("%q is no name: it has 1 to 128 letters, digits, dots, dashes and underscores, as in demo", name)
}

// Key returns the key of a server: its prefix, its name and its address, as in
// /rpckids/demo/10.0.0.7:8888. Without an address it is where the keys of all
// servers of that name begin.
func Key(prefix, name, address string) string {
	if prefix == "" {
		prefix = Prefix
	}
	return prefix + name + "/" + address
}

// Endpoints returns a list of endpoints, one at least, or what is wrong with one.
func Endpoints(given []string) ([]string, error) {
	if len(given) == 0 {
		return []string{Endpoint}, nil
	}
	given = slices.Clone(given)
	for i, e := range given {
		if given[i] = strings.TrimSpace(e); host(given[i]) == "" {
			return nil, fmt.Errorf("%q is no address of etcd: it is written host:port, http://host:port or https://host:port", e)
		}
	}
	return given, nil
}

// host returns the host:port of an endpoint, "" if it has none.
func host(endpoint string) string {
	if !strings.Contains(endpoint, "://") {
		endpoint = "http://" + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || strings.Trim(u.Path, "/") != "" {
		return ""
	}
	if host, port, err := net.SplitHostPort(u.Host); err != nil || host == "" || port == "" {
		return ""
	}
	return u.Host
}

// Connect makes a client that is silent, notices when etcd is gone, and takes
// bounded answers, as far as cfg does not say otherwise. It waits for nothing.
func Connect(cfg clientv3.Config) (client *clientv3.Client, err error) {
	if cfg.Endpoints, err = Endpoints(cfg.Endpoints); err != nil {
		return nil, err
	}
	if cfg.Logger == nil && cfg.LogConfig == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.DialTimeout == 0 {
		cfg.DialTimeout = AnswerTime
	}
	if cfg.DialKeepAliveTime == 0 {
		cfg.DialKeepAliveTime, cfg.DialKeepAliveTimeout = 10*time.Second, AnswerTime
	}
	if cfg.MaxCallRecvMsgSize == 0 {
		cfg.MaxCallRecvMsgSize = 4 << 20
	}
	return clientv3.New(cfg)
}

// Stands reports whether a connection to etcd stands. If none does the next
// attempt to make one comes at once: grpc would wait up to two minutes with it. It
// is called before each request.
func Stands(client *clientv3.Client) bool {
	conn := client.ActiveConnection()
	if conn.GetState().String() == "READY" {
		return true
	}
	conn.ResetConnectBackoff()
	return false
}
