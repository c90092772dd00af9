package etcd

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rpckids/rpckids/internal/registry"
)

var goodHost = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]{0,252})$`)

// Address returns the address that clients can reach a listener at. Advertised is
// host:port, or a host alone that gets the listener's port; "" takes the
// listener's own address, which must not be a wildcard then: clients on other
// machines cannot know which of this machine's addresses is meant.
func Address(listener net.Addr, advertised string) (string, error) {
	tcp, ok := listener.(*net.TCPAddr)
	if advertised == "" {
		switch {
		case !ok:
			return "", configError("%s is no address of TCP: say which one to advertise, as host:port", listener)
		case tcp.IP.IsUnspecified() || len(tcp.IP) == 0:
			return "", configError("%s means every address of this machine: say which one to advertise, as in web1.example.org:%d", listener, tcp.Port)
		}
		return listener.String(), nil
	}
	if _, _, err := net.SplitHostPort(advertised); err != nil && ok {
		advertised = net.JoinHostPort(strings.Trim(advertised, "[]"), strconv.Itoa(tcp.Port))
	}
	return advertised, checkAddress(advertised)
}

func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return configError("%q cannot be advertised: it is not written host:port", address)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return configError("%q cannot be advertised: a port is a number from 1 to 65535", address)
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err == nil && (ip.IsUnspecified() || ip.IsMulticast()), host == "":
		return configError("%q cannot be advertised: it says no host that clients could connect to, as in web1.example.org:%s", address, port)
	case err != nil && !goodHost.MatchString(host):
		return configError("%q cannot be advertised: %q is neither an address nor a name", address, host)
	}
	return nil
}

// check says what makes no sense.
func (c *Config) check(name, address string) error {
	if err := registry.CheckName(name); err != nil {
		return configError("%s", err)
	}
	if c.TTL < 2*time.Second || c.TTL%time.Second != 0 || c.TTL > time.Hour {
		return configError("a TTL of %v makes no sense: it is whole seconds, from 2 s to an hour", c.TTL)
	}
	return checkAddress(address)
}

func configError(format string, args ...any) *Error {
	return &Error{Kind: ErrConfig, Message: fmt.Sprintf(format, args...)}
}
