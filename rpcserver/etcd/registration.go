package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/rpckids/rpckids/internal/registry"
)

// Registration is one address of a server, kept in etcd. Register makes one, and
// Withdraw ends it. It is safe for concurrent use.
type Registration struct {
	cfg           Config
	client        *clientv3.Client
	name, address string
	key, value    string

	ctx    context.Context // ends with Withdraw
	cancel context.CancelFunc
	done   chan struct{} // closed when keep has returned

	withdraw    sync.Once
	withdrawErr error

	mu    sync.Mutex // protects the fields below
	lease clientv3.LeaseID
	err   error // since it was lost; nil while it stands
}

// Register puts address, host:port as [Address] returns it, under a name, and
// returns when it is there; ctx bounds that, and has no say afterwards. From then
// on a goroutine keeps it there, until Withdraw. An error is an *Error.
func Register(ctx context.Context, name, address string, config *Config) (*Registration, error) {
	cfg := config.withDefaults()
	if err := cfg.check(name, address); err != nil {
		return nil, err
	}
	r := &Registration{cfg: cfg, client: cfg.Client, name: name, address: address, key: registry.Key(cfg.Prefix, name, address), value: about(), done: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	if r.client == nil {
		var err error
		if r.client, err = registry.Connect(cfg.Etcd); err != nil {
			r.cancel()
			return nil, &Error{Kind: ErrConfig, Name: name, Address: address, Message: "etcd: " + err.Error(), cause: err}
		}
	}
	alive, err := r.stand(ctx)
	if err != nil {
		failed := r.etcdError(err)
		r.revoke(ctx) // its error adds nothing: without that the lease ends by itself
		r.cancel()
		r.disconnect()
		return nil, failed
	}
	cfg.Logger.Info("registered in etcd", "name", name, "address", address)
	go r.keep(alive) // ends with Withdraw, which waits
	return r, nil
}

// about is what the key says to people.
func about() string {
	host, _ := os.Hostname()
	b, _ := json.Marshal(struct {
		Host  string    `json:"host"`
		PID   int       `json:"pid"`
		Since time.Time `json:"since"`
	}{host, os.Getpid(), time.Now().UTC().Truncate(time.Second)})
	return string(b)
}

// stand takes a lease and puts the key under it. The channel is closed when the
// lease is lost.
func (r *Registration) stand(ctx context.Context) (<-chan *clientv3.LeaseKeepAliveResponse, error) {
	registry.Stands(r.client)
	ctx, cancel := context.WithTimeout(ctx, registry.AnswerTime)
	defer cancel()
	lease, err := r.client.Grant(ctx, int64(r.cfg.TTL/time.Second))
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.lease = lease.ID // before the key: a Put that nobody waits for any more may still arrive
	r.mu.Unlock()
	if _, err := r.client.Put(ctx, r.key, r.value, clientv3.WithLease(lease.ID)); err != nil {
		return nil, err
	}
	alive, err := r.client.KeepAlive(r.ctx, lease.ID)
	if err == nil {
		r.mu.Lock()
		r.err = nil
		r.mu.Unlock()
	}
	return alive, err
}

// keep holds the registration, and takes a new lease each time that it is lost.
func (r *Registration) keep(alive <-chan *clientv3.LeaseKeepAliveResponse) {
	defer close(r.done)
	for {
		r.hold(alive)
		if r.ctx.Err() != nil {
			return
		}
		r.lost("its lease is over: etcd could not be reached for so long, or somebody ended it", nil)
		if alive = r.again(); alive == nil {
			return
		}
		r.cfg.Logger.Info("registered in etcd again", "name", r.name, "address", r.address)
	}
}

// hold returns when the lease is lost, or Withdraw was called. Now and then it
// looks whether the key is still there: a lease without it is worth nothing.
func (r *Registration) hold(alive <-chan *clientv3.LeaseKeepAliveResponse) {
	look := time.NewTicker(min(r.cfg.TTL, lookEvery))
	defer look.Stop()
	for {
		select {
		case _, ok := <-alive:
			if !ok {
				return
			}
		case <-look.C:
			if err := r.look(); errors.Is(err, rpctypes.ErrLeaseNotFound) {
				return
			}
		}
	}
}

// look puts the key back if it has gone or belongs to another lease, as it does
// after a stopped process at the same address came back to life.
func (r *Registration) look() error {
	registry.Stands(r.client)
	ctx, cancel := context.WithTimeout(r.ctx, registry.AnswerTime)
	defer cancel()
	r.mu.Lock()
	lease := r.lease
	r.mu.Unlock()
	ours := clientv3.Compare(clientv3.LeaseValue(r.key), "=", lease)
	was, err := r.client.Txn(ctx).If(ours).Else(clientv3.OpPut(r.key, r.value, clientv3.WithLease(lease))).Commit()
	if err == nil && !was.Succeeded {
		r.lost("its key was deleted or taken by another process, and is put back", nil)
		r.mu.Lock()
		r.err = nil
		r.mu.Unlock()
	}
	return err
}

// again registers anew, however long that takes. Nil: Withdraw was called.
func (r *Registration) again() <-chan *clientv3.LeaseKeepAliveResponse {
	for pause := pauseMin; ; pause = min(2*pause, pauseMax) {
		alive, err := r.stand(r.ctx)
		if err == nil {
			return alive
		}
		r.mu.Lock()
		r.err = r.lostError("its lease is over, and "+r.etcdError(err).Message, err)
		r.mu.Unlock()
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-timer.C:
		case <-r.ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

func (r *Registration) lost(message string, cause error) {
	err := r.lostError(message, cause)
	r.mu.Lock()
	r.err = err
	r.mu.Unlock()
	r.cfg.Logger.Warn("registration in etcd lost", "name", r.name, "address", r.address, "cause", message)
	if r.cfg.Lost != nil {
		r.cfg.Lost(err)
	}
}

func (r *Registration) lostError(message string, cause error) *Error {
	return &Error{Kind: ErrLost, Name: r.name, Address: r.address, Message: "registration lost: " + message, cause: cause}
}

// Err returns nil while the registration stands, and else an *Error of kind ErrLost
// that says why it does not, while it is tried again. After Withdraw it says no more.
func (r *Registration) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Withdraw takes the address out of etcd, so that clients leave the server; call it
// before Server.Shutdown. When it returns the registration is at its end, even with
// an error: that etcd could not be told within ctx, and will notice when the lease
// is over. A second call returns what the first one did.
func (r *Registration) Withdraw(ctx context.Context) error {
	r.withdraw.Do(func() {
		r.cancel()
		<-r.done
		if err := r.revoke(ctx); err != nil {
			r.withdrawErr = r.etcdError(err)
		} else {
			r.cfg.Logger.Info("withdrawn from etcd", "name", r.name, "address", r.address)
		}
		r.disconnect()
	})
	return r.withdrawErr
}

// revoke ends the lease, and the key with it. A lease that is over already is no
// error.
func (r *Registration) revoke(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, registry.AnswerTime)
	defer cancel()
	r.mu.Lock()
	lease := r.lease
	r.mu.Unlock()
	if lease == 0 {
		return nil
	}
	registry.Stands(r.client)
	if _, err := r.client.Revoke(ctx, lease); err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return err
	}
	return nil
}

// disconnect closes a client of our own.
func (r *Registration) disconnect() {
	if r.cfg.Client == nil {
		r.client.Close()
	}
}
