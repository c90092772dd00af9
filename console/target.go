package console

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// parseTarget writes an address as people type it in full: ":8888", "8888" and "host" get what they leave out, "rpckids://" is dropped. A list a:1,b:2 stays a
// list, and a scheme the console does not know is left to the Dialer. The place in its error counts from the beginning of text.
func parseTarget(text string) (string, error) {
	scheme, rest, found := strings.Cut(text, "://")
	switch {
	case !found || strings.Contains(scheme, ","):
	case scheme == "rpckids" || scheme == "tcp":
		target, err := parseTarget(strings.TrimSuffix(rest, "/"))
		if e, ok := err.(*Error); ok {
			e.At += len(text) - len(rest)
		}
		return target, err
	case scheme != "unix":
		return text, nil
	}
	parts := strings.Split(text, ",")
	at := 0
	for i, p := range parts {
		full, err := address(p, len(parts) > 1)
		if err != nil {
			err.At = at
			return "", err
		}
		at += len(p) + 1
		parts[i] = full
	}
	return strings.Join(parts, ","), nil
}

// address writes one address in full.
func address(text string, listed bool) (string, *Error) {
	if strings.HasPrefix(text, "unix://") {
		return text, nil
	}
	if text == "" && listed {
		return "", &Error{Exit: ExitUsage, Message: "an address is missing in the list", Hint: "one stands before and after each comma, as in a:8881,b:8882"}
	}
	text = strings.TrimPrefix(text, "rpckids://")
	full, problem := hostPort(text)
	if full != "" {
		return full, nil
	}
	e := &Error{Exit: ExitUsage, Message: fmt.Sprintf("%q is not an address", shorten(Printable(text), 60)), Hint: "as in localhost:8888, :8888, [::1]:8888, unix:///path"}
	if problem != "" {
		e.Message += ": " + problem
	}
	return "", e
}

// hostPort fills in what an address leaves out. Of one that is wrong it returns nothing, and the problem where there is more to say than that.
func hostPort(text string) (full, problem string) {
	_, home, _ := strings.Cut(DefaultAddr, ":")
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		switch bare := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"); {
		case digits(text):
			host, port = "", text
		case net.ParseIP(bare) != nil && (text == bare || text == "["+bare+"]"), text != "" && !strings.ContainsAny(text, ":[] "):
			host, port = bare, home
		case strings.Count(text, ":") > 1 && !strings.Contains(text, "["):
			return "", "it has more than one colon"
		default:
			return "", ""
		}
	}
	if host == "" {
		host = "localhost"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", "a port is a number from 1 to 65535"
	}
	if strings.ContainsAny(host, " /@") {
		return "", ""
	}
	return net.JoinHostPort(host, port), ""
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
