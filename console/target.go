package console

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// parseTarget writes an address as people type it in full: ":8888", "8888" and "host" get what they leave out, "rpckids://" is dropped. A list a:1,b:2 stays a
// list, and a scheme the console does not know is left to the Dialer.
func parseTarget(text string) (string, error) {
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		if scheme == "rpckids" || scheme == "tcp" {
			return parseTarget(strings.TrimSuffix(rest, "/"))
		}
		return text, nil
	}
	parts := strings.Split(text, ",")
	for i, p := range parts {
		full, err := hostPort(p)
		if err != nil {
			return "", err
		}
		parts[i] = full
	}
	return strings.Join(parts, ","), nil
}

func hostPort(text string) (string, error) {
	_, home, _ := strings.Cut(DefaultAddr, ":")
	bad := &Error{Exit: ExitUsage, Message: fmt.Sprintf("%q is not an address", text), Hint: "as in localhost:8888, :8888, [::1]:8888, unix:///path"}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		switch bare := strings.Trim(text, "[]"); {
		case digits(text):
			host, port = "", text
		case net.ParseIP(bare) != nil, text != "" && !strings.ContainsAny(text, ":[] "):
			host, port = bare, home
		default:
			return "", bad
		}
	}
	if host == "" {
		host = "localhost"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || strings.ContainsAny(host, " /@") {
		return "", bad
	}
	return net.JoinHostPort(host, port), nil
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
