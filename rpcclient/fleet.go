package rpcclient

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rpckids/rpckids/internal/balance"
)

// calm is how long a list is followed before the next one is: a list that flaps
// shall not make connections flap.
const calm = 100 * time.Millisecond

// fleet is the servers of a client: the list, kept up to date by the target's
// watch, and who of them gets a call. Where there is one server only it gets every
// call and is connected to on demand. Of several all are kept connected while
// there are calls: a call goes to one that is ready, and waits only if none is.
type fleet struct {
	client *Client
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine of the client; Close waits for them
	dials  dials
	only   atomic.Pointer[server] // the one server, where there is one
	roster atomic.Pointer[roster] // where there are several
	asleep atomic.Bool            // one of several may have no connection and no keeper
	tender tender

	mu      sync.Mutex // protects the fields below
	closed  bool
	looking bool      // the target's watch runs, or needs not
	list    []*server // in the order of the list
	left    []*server // have left the list, and finish their calls
	muster  *muster
	next    []string // a list that came too soon after the one before
	changed time.Time
	set     *balance.Set // nil until there are several
	lookup  error        // why the last one failed, or nil
}

// roster is the list as calls see it.
type roster struct {
	set     *balance.Set
	servers []*server
	of      map[*balance.Member]*server
}

func (f *fleet) init(c *Client) {
	f.client = c
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.tender.fleet = f
	if c.target.servers != nil {
		f.looking = true
		f.setListLocked(c.target.servers)
	}
}

// several reports whether calls have a choice.
func (f *fleet) several() bool { return f.roster.Load() != nil }

// pick chooses the server for an attempt: ready if any is. It is nil if no list
// has come yet.
func (f *fleet) pick(k *call) *server {
	if s := f.only.Load(); s != nil {
		return s
	}
	r := f.roster.Load()
	if r == nil {
		return nil
	}
	if f.asleep.Load() && f.asleep.CompareAndSwap(true, false) {
		for _, s := range r.servers {
			s.wake()
		}
	}
	var avoid func(*balance.Member) bool
	if len(k.tried) > 0 {
		avoid = func(m *balance.Member) bool { return slices.Contains(k.tried, m) }
	}
	s := r.of[r.set.Pick(f.client.now(), avoid)]
	if s != nil && s.open.Load() != nil {
		return s
	}
	if other := r.ready(k.tried); other != nil {
		return other
	}
	if other := r.ready(nil); other != nil {
		return other
	}
	return r.servers[0] // none is ready: it is not about this one
}

// ready returns a server that can take a call at once and is none of those tried.
func (r *roster) ready(tried []*balance.Member) *server {
	for _, s := range r.servers {
		if s.open.Load() != nil && !slices.Contains(tried, s.member) {
			return s
		}
	}
	return nil
}

// elsewhere reports whether a server that k has not tried can take it at once.
func (f *fleet) elsewhere(k *call) bool {
	if !f.several() {
		return false
	}
	s := f.pick(k)
	return s != nil && s.open.Load() != nil && !slices.Contains(k.tried, s.member)
}

// servers returns the list as it is now, and with those that have left it.
func (f *fleet) servers() (list, left []*server) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.list), slices.Clone(f.left)
}

// look sets the target's watch to work, once.
func (f *fleet) lookLocked() {
	if f.looking {
		return
	}
	f.looking = true
	f.wg.Go(func() { // the watch: ends with Close, or when the list will not change any more
		if err := f.client.target.watch(f.ctx, f.follow); err != nil {
			f.follow(nil, err)
		}
	})
}

// follow takes a new list, or notes why there is none. A list is followed at most
// every calm; the newest counts.
func (f *fleet) follow(servers []string, err error) {
	f.mu.Lock()
	f.lookup = err
	if err == nil && len(servers) > 0 && !f.closed {
		f.next = slices.Clone(servers)
		f.followLocked()
	}
	f.summonLocked()
	left := slices.Clone(f.left)
	f.mu.Unlock()
	for _, s := range left {
		s.leave()
	}
	f.tender.arm()
}

// followLocked follows the newest list, if it is time.
func (f *fleet) followLocked() {
	if f.next == nil || f.closed || len(f.list) > 0 && time.Since(f.changed) < calm {
		return
	}
	f.setListLocked(f.next)
	f.next, f.changed = nil, time.Now()
}

// setListLocked makes the list what addresses says. Servers that stay keep
// everything; who comes back before its last call has ended is still known.
func (f *fleet) setListLocked(addresses []string) {
	list := make([]*server, 0, len(addresses))
	known := make(map[string]*server, len(f.list))
	for _, s := range f.list {
		known[s.address] = s
	}
	for _, a := range addresses {
		s := known[a]
		delete(known, a)
		if s == nil {
			s = f.enterLocked(a)
		}
		list = append(list, s)
	}
	for _, s := range known {
		s.parted.Store(true)
		f.left = append(f.left, s)
	}
	f.list = list
	f.publishLocked()
}

// enterLocked makes a server that was not in the list.
func (f *fleet) enterLocked(address string) *server {
	s := newServer(f.client, address)
	for _, old := range f.left {
		if old.address == address { // its connections are on their way out, its record is not
			s.inherit(old)
		}
	}
	if f.client.cfg.Pool.Min > 0 {
		s.mu.Lock()
		s.dialLocked(&attempt{})
		s.mu.Unlock()
	}
	return s
}

// publishLocked shows the list to the calls.
func (f *fleet) publishLocked() {
	if len(f.list) == 1 {
		f.only.Store(f.list[0])
		f.roster.Store(nil)
		return
	}
	if f.set == nil {
		f.set = balance.NewSet(f.client.cfg.balance())
	}
	members := make([]*balance.Member, len(f.list))
	r := &roster{set: f.set, servers: f.list, of: make(map[*balance.Member]*server, len(f.list))}
	for i, s := range f.list {
		members[i], r.of[s.member] = s.member, s
	}
	f.set.Replace(members)
	f.roster.Store(r)
	f.only.Store(nil)
	f.asleep.Store(true)
}

// forget drops a server that has left the list when its last connection has ended.
func (f *fleet) forget(s *server) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = slices.DeleteFunc(f.left, func(other *server) bool { return other == s })
}

// spawn runs do in a goroutine that Close waits for; false: the client is closed.
func (f *fleet) spawn(do func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.wg.Go(do)
	return true
}

// close ends all connections and everything that runs, and waits for it.
func (f *fleet) close() {
	f.mu.Lock()
	f.closed = true
	if f.muster != nil && f.muster.awaited == 0 { // it waits for the list; else its dials end it
		f.dismissLocked(nil, nil, errClosed)
	}
	all := slices.Concat(f.list, f.left)
	f.mu.Unlock()
	f.cancel()
	f.tender.stop()
	var farewells sync.WaitGroup
	for _, s := range all {
		for _, cn := range s.shut() {
			farewells.Go(cn.goodbye)
		}
	}
	farewells.Wait()
	f.wg.Wait()
}

// describe fills in what the fleet and its servers know.
func (f *fleet) describe(st *Stats) {
	list, left := f.servers()
	f.client.stats.describe(st)
	for _, s := range slices.Concat(list, left) {
		s.describe(st)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	st.Servers, st.Discovery = len(list), f.discoveryLocked()
	switch {
	case f.closed:
		st.State, st.Attempt = Closed, 0
	case st.Remote != "":
		st.State, st.Attempt = Connected, 0
	case st.Attempt > 0:
		st.State = Connecting
	}
}

// discoveryLocked says what is wrong with the looking for servers.
func (f *fleet) discoveryLocked() string {
	if f.lookup == nil {
		return ""
	}
	text := printable(f.lookup.Error(), 300)
	if n := len(f.list); n > 0 {
		text += fmt.Sprintf(", keeping the last list of %d", n)
	}
	return text
}
