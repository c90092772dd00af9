package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// lookTime is how long it may take to find out why there was no answer.
const lookTime = 500 * time.Millisecond

// Trouble is an error of etcd in plain words.
type Trouble struct {
	What string // etcd cannot be reached; etcd cannot answer
	Why  string

	cause error
}

func (t *Trouble) Error() string { return t.What + ": " + t.Why }

// Unwrap returns etcd's own error.
func (t *Trouble) Unwrap() error { return t.cause }

// Explain says an error of a client in plain words.
func Explain(client *clientv3.Client, err error) *Trouble {
	text := err.Error()
	if e, ok := errors.AsType[rpctypes.EtcdError](err); ok {
		return &Trouble{"etcd cannot answer", strings.TrimPrefix(e.Error(), "etcdserver: "), err}
	}
	t := &Trouble{What: "etcd cannot be reached", cause: err}
	switch i := strings.LastIndex(text, "desc = "); {
	case errors.Is(err, context.Canceled):
		t.Why = "it was not waited for"
	case errors.Is(err, context.DeadlineExceeded), strings.Contains(text, "DeadlineExceeded"):
		t.Why = silence(client.Endpoints())
	case i >= 0: // the words of grpc before it say nothing
		t.Why = strings.Trim(text[i+len("desc = "):], `"`)
	default:
		t.Why = text
	}
	return t
}

// silence finds out why endpoints do not answer: grpc does not tell.
func silence(endpoints []string) string {
	ctx, cancel := context.WithTimeout(context.Background(), lookTime)
	defer cancel()
	for _, e := range endpoints {
		if host(e) == "" {
			continue
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", host(e))
		if err == nil {
			conn.Close()
			return fmt.Sprintf("%s takes connections, but gives no answer; is it an etcd, and does it speak %s?", e, protocol(e))
		}
		if ctx.Err() == nil {
			return err.Error()
		}
	}
	return "no answer from " + strings.Join(endpoints, ", ")
}

func protocol(endpoint string) string {
	if strings.HasPrefix(endpoint, "https://") {
		return "https"
	}
	return "http without TLS"
}
