package etcd

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/rpckids/rpckids/internal/registry"
)

// The times of a follower.
const (
	glance   = time.Second      // between looks whether the connection stands
	listMin  = 15 * time.Second // between lists, whatever was followed: up to twice as long
	pauseMin = 500 * time.Millisecond
	pauseMax = 2 * time.Second
)

// maxServers bounds the keys that are kept: one more than a client uses, so that
// it says that there are too many.
const maxServers = 1001

// follower keeps the servers below one prefix. One goroutine owns it.
type follower struct {
	client *clientv3.Client
	prefix string
	update func(servers []string, err error)

	servers  map[string]bool
	revision int64     // of the last list: what is followed may be older
	full     bool      // there may be more servers than are kept
	down     time.Time // since when etcd does not answer; zero: it does
}

// run lists and follows until ctx ends. Whatever ends the following, a new list
// shows what it was; the pause before it grows while that happens again and again.
func (f *follower) run(ctx context.Context) {
	pause := pauseMin
	for ctx.Err() == nil {
		if f.list(ctx) {
			began := time.Now()
			if f.follow(ctx); time.Since(began) > pauseMax {
				pause = pauseMin
			}
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause = min(2*pause, pauseMax)
	}
}

// list asks for all servers and tells them. False: etcd gave no answer.
func (f *follower) list(ctx context.Context) bool {
	registry.Stands(f.client)
	asking, cancel := context.WithTimeout(ctx, registry.AnswerTime)
	defer cancel()
	r, err := f.client.Get(asking, f.prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(maxServers))
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		if f.down.IsZero() {
			f.down = time.Now()
		}
		f.update(nil, f.trouble(err))
		return false
	}
	f.down, f.revision, f.full = time.Time{}, r.Header.Revision, r.More
	f.servers = make(map[string]bool, len(r.Kvs))
	for _, kv := range r.Kvs {
		f.servers[f.server(kv.Key)] = true
	}
	f.tell()
	return true
}

// follow applies changes until something is wrong with following: compaction, a
// lost leader, a lost connection.
func (f *follower) follow(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	late := time.AfterFunc(registry.AnswerTime, cancel) // Watch waits for etcd as long as its context lets it
	changes := f.client.Watch(clientv3.WithRequireLeader(ctx), f.prefix, clientv3.WithPrefix(), clientv3.WithRev(f.revision+1))
	if !late.Stop() {
		return
	}
	look := time.NewTicker(glance)
	defer look.Stop()
	again := time.NewTimer(listMin + rand.N(listMin))
	defer again.Stop()
	for {
		select {
		case c, ok := <-changes:
			if !ok || c.Err() != nil || !f.apply(c.Events) {
				return
			}
		case <-look.C: // the watch itself waits in silence for a lost etcd
			if !registry.Stands(f.client) && !f.list(ctx) {
				return
			}
		case <-again.C:
			if !f.list(ctx) {
				return
			}
			again.Reset(listMin + rand.N(listMin))
		case <-ctx.Done():
			return
		}
	}
}

// apply makes the list what it is after events. False: only a new list can tell.
func (f *follower) apply(events []*clientv3.Event) bool {
	changed := false
	for _, e := range events {
		if e.Kv.ModRevision <= f.revision {
			continue
		}
		server, before := f.server(e.Kv.Key), len(f.servers)
		switch {
		case e.Type == clientv3.EventTypeDelete:
			if delete(f.servers, server); f.full {
				return false
			}
		case before < maxServers:
			f.servers[server] = true
		case !f.servers[server]:
			f.full = true
		}
		changed = changed || len(f.servers) != before
	}
	if changed {
		f.tell()
	}
	return true
}

// server returns the address in a key. A socket's is none: it would be one of the
// machine that reads it.
func (f *follower) server(key []byte) string {
	return strings.TrimPrefix(strings.TrimPrefix(string(key), f.prefix), "unix://")
}

func (f *follower) tell() {
	if len(f.servers) == 0 {
		f.update(nil, fmt.Errorf("nobody is registered in etcd under %s", f.prefix))
		return
	}
	f.update(slices.Sorted(maps.Keys(f.servers)), nil)
}

// trouble says in plain words why there is no answer, and since when.
func (f *follower) trouble(err error) error {
	t := registry.Explain(f.client, err)
	if d := time.Since(f.down).Round(time.Second); d > 0 {
		t.What += fmt.Sprintf(" for %v", d)
	}
	return t
}
