package etcd

import (
	"errors"
	"fmt"

	"github.com/rpckids/rpckids/internal/registry"
)

// The kinds of failure, one for every [Error].
var (
	// ErrConfig says that a registration makes no sense: its name, its address, its
	// time to live, the endpoints of etcd.
	ErrConfig = errors.New("bad registration")

	// ErrEtcd says that etcd cannot be reached, or does not do what it is asked to.
	ErrEtcd = errors.New("etcd failed")

	// ErrLost says that a registration that stood is gone.
	ErrLost = errors.New("registration lost")
)

// Error is what every failing function of this package returns.
type Error struct {
	Kind    error  // one of the Err values of this package
	Name    string // that was to be registered
	Address string
	Message string // the cause in plain words

	cause error
}

func (e *Error) Error() string {
	if e.Name == "" {
		return e.Message
	}
	return fmt.Sprintf("%q at %q: %s", e.Name, e.Address, e.Message)
}

// Is makes errors.Is(err, ErrLost) and its like work.
func (e *Error) Is(target error) bool { return target == e.Kind }

// Unwrap returns the cause, for example an error of etcd, or nil.
func (e *Error) Unwrap() error { return e.cause }

// etcdError says in plain words what etcd did not do.
func (r *Registration) etcdError(err error) *Error {
	t := registry.Explain(r.client, err)
	return &Error{Kind: ErrEtcd, Name: r.name, Address: r.address, Message: t.Error(), cause: err}
}
