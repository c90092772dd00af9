package rpcserver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rpckids/rpckids/internal/socket"
	"github.com/rpckids/rpckids/internal/wire"
)

// HTTP on the same port: a connection whose first byte says so is handed to net/http for the rest of its life. It still counts as a
// connection of the server, under its limits, and Shutdown and Close wait for it.

const (
	maxHeader = 16 << 10 // bytes of a request's header
	maxIdle   = 60 * time.Second
)

// newWeb makes the one http.Server of a Server. It has no listener: see serveHTTP.
func newWeb(s *Server) *http.Server {
	only1 := new(http.Protocols)
	only1.SetHTTP1(true)
	idle := maxIdle
	if s.config.Idle > 0 {
		idle = min(idle, s.config.Idle)
	}
	return &http.Server{
		Handler:   http.HandlerFunc(s.answerHTTP),
		Protocols: only1,

		DisableGeneralOptionsHandler: true, // OPTIONS * is answered as anything else is
		ReadHeaderTimeout:            s.config.HalfMessage,
		ReadTimeout:                  3 * s.config.HalfMessage,
		IdleTimeout:                  idle,
		MaxHeaderBytes:               maxHeader,
		ErrorLog:                     log.New(httpLog{s}, "", 0),
		BaseContext:                  func(net.Listener) context.Context { return s.ctx },
		ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
			return &connContext{ctx, nc.(*httpConn).conn}
		},
	}
}

// httpLog takes what net/http has to say, which may hold what a peer wrote.
type httpLog struct{ s *Server }

func (l httpLog) Write(p []byte) (int, error) {
	l.s.log(slog.LevelInfo, "HTTP", slog.String("says", shown(bytes.TrimSpace(p), mostError)))
	return len(p), nil
}

// serveHTTP hands the connection over and returns when net/http has closed it.
func (c *conn) serveHTTP() Reason {
	h := &httpConn{Conn: c.nc, conn: c, came: c.came, over: make(chan struct{})}
	if !c.secure() { // else it is so already
		h.Conn = &socket.Patient{Conn: c.nc, Stall: c.s.config.WriteStall}
	}
	c.came, c.dec = nil, wire.Decoder{} // whose buffer h has
	c.mu.Lock()
	if why := c.why; why != "" {
		c.mu.Unlock()
		return why
	}
	c.handed = true
	c.nc.SetReadDeadline(time.Time{}) // the one for a first byte
	c.mu.Unlock()
	_ = c.s.web.Serve(&oneConn{conn: h}) // says that the listener is closed
	return WasHTTP
}

// oneConn is a listener that has one connection to give, and is closed when that is.
type oneConn struct {
	conn  *httpConn
	given bool
}

func (l *oneConn) Accept() (net.Conn, error) {
	if !l.given {
		l.given = true
		return l.conn, nil
	}
	<-l.conn.over
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

// httpConn is a connection in the hands of net/http.
type httpConn struct {
	net.Conn
	conn *conn
	came []byte // was read already; the reader's
	once sync.Once
	over chan struct{} // closed when net/http has closed it
}

func (h *httpConn) Read(p []byte) (int, error) {
	if len(h.came) == 0 {
		return h.Conn.Read(p)
	}
	n := copy(p, h.came)
	if h.came = h.came[n:]; len(h.came) == 0 {
		h.came = nil
	}
	return n, nil
}

// CloseWrite is how net/http makes sure that an answer arrives before the socket goes.
func (h *httpConn) CloseWrite() error {
	if w, ok := h.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return io.ErrClosedPipe
}

func (h *httpConn) Close() error {
	err := h.Conn.Close()
	h.once.Do(func() { close(h.over) })
	return err
}

// answerHTTP answers every request.
func (s *Server) answerHTTP(w http.ResponseWriter, r *http.Request) {
	defer s.rescue(w, r)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.URL.Path == "/healthz" {
		said(w, r, http.StatusOK, "ok")
		return
	}
	c := r.Context().Value(connKey{}).(*conn)
	if !s.opensHTTP(c, w, r) {
		return
	}
	name, denied, slow := c.enterHTTP(r)
	if slow != nil {
		s.refused(tooFast, c.nc.RemoteAddr())
		s.denyHTTP(w, r, slow)
		return
	}
	if denied != nil {
		s.refused(unknownCaller, c.nc.RemoteAddr())
		s.denyHTTP(w, r, denied)
		return
	}
	if name != "" {
		r = r.WithContext(withIdentity(r.Context(), name))
	}
	if sec, ok := c.nc.(*socket.Secure); ok {
		state := sec.ConnectionState()
		r.TLS = &state
	}
	s.route(w, r)
}

// opensHTTP reports whether this connection may ask for more than /healthz, and says so if not.
func (s *Server) opensHTTP(c *conn, w http.ResponseWriter, r *http.Request) bool {
	switch {
	case c.secure():
		return true
	case s.config.RefusePlain:
		s.refused(notTLS, c.nc.RemoteAddr())
		w.Header().Set("Upgrade", "TLS/1.2")
		w.Header().Set("Connection", "close")
		said(w, r, http.StatusUpgradeRequired, "this port takes TLS alone: use https")
		return false
	case !s.config.HTTPPlain:
		said(w, r, http.StatusForbidden, "this port speaks rpckids; of HTTP only /healthz is open without TLS, unless the server's HTTPPlain (rpckids-server --http) opens the rest")
		return false
	}
	return true
}

// asks finds out who sends a request.
func (c *conn) asks(r *http.Request) (name string, denied *Error) {
	cr := c.credentials(protocolHTTP, r.Header.Get("Authorization"))
	if c.s.config.Auth == nil {
		return cr.Name, nil
	}
	r.Header.Del("Authorization") // nothing behind has a use for it
	name, denied, doubt := c.authenticate(r.Context(), cr)
	c.logDoubt(doubt)
	return name, denied
}

// enterHTTP is what enters is for a call.
func (c *conn) enterHTTP(r *http.Request) (name string, denied, slow *Error) {
	p, tries := c.s.pacer, triesOf(addressOf(c.nc.RemoteAddr()))
	own := p != nil && c.s.config.Auth != nil && r.Header.Get("Authorization") != ""
	if own {
		if wait, ok := p.look(tries, time.Now()); !ok {
			return "", nil, c.tooFastError(wait)
		}
	}
	if name, denied = c.asks(r); denied != nil && own {
		p.take(tries, time.Now())
		return "", denied, nil
	}
	return name, denied, c.paceHTTP(r, name)
}

// paceHTTP takes a request out of its caller's bucket, as pace takes a call, and says so if there is none. A name may be the request's own, so the
// connection has no bucket.
func (c *conn) paceHTTP(r *http.Request, name string) *Error {
	p := c.s.pacer
	if p == nil || r.URL.Path == "/readyz" {
		return nil
	}
	if name == "" {
		name = addressOf(c.nc.RemoteAddr())
	}
	if wait, ok := p.take(name, time.Now()); !ok {
		return c.tooFastError(wait)
	}
	return nil
}

func (s *Server) denyHTTP(w http.ResponseWriter, r *http.Request, e *Error) {
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatFloat(math.Ceil(e.RetryAfter.Seconds()), 'f', 0, 64))
	}
	status := http.StatusUnauthorized
	switch e.Code {
	case Unauthenticated:
		w.Header().Set("WWW-Authenticate", `Bearer realm="rpckids"`)
	case PermissionDenied:
		status = http.StatusForbidden
	case ResourceExhausted:
		status = http.StatusTooManyRequests
	case Unavailable, DeadlineExceeded:
		status = http.StatusServiceUnavailable
	case Internal:
		status = http.StatusInternalServerError
	}
	said(w, r, status, shown(e.Message, mostError))
}

// route answers a request that may be answered.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/readyz":
		if s.isReady() {
			said(w, r, http.StatusOK, "ready")
		} else {
			said(w, r, http.StatusServiceUnavailable, "draining")
		}
	case r.URL.Path == "/services":
		s.listHTTP(w, r)
	case s.config.HTTP != nil:
		s.hostHTTP(w, r)
	case r.Method == http.MethodConnect || r.Method == http.MethodOptions: // they ask for no page
		said(w, r, http.StatusOK, "")
	default:
		said(w, r, http.StatusNotFound, "here are /healthz, /readyz and /services; the rest of this port speaks rpckids")
	}
}

// hostHTTP runs the handler of the Config, which takes no worker, unless there is no place for it.
func (s *Server) hostHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.pool.admitGuest() {
		s.refused(tooManyInFlight, r.Context().Value(connKey{}).(*conn).nc.RemoteAddr())
		s.denyHTTP(w, r, &Error{Code: Unavailable, Message: someCalls(s.config.MaxInFlight, "is", "are") + " in flight", RetryAfter: s.pool.retryAfter(time.Now())})
		return
	}
	defer s.pool.unhost()
	s.config.HTTP.ServeHTTP(w, r)
}

// admitGuest gives a place to a handler that has a goroutine already; unhost takes it back.
func (p *pool) admitGuest() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.ownLocked()+p.readers+p.guests >= p.most {
		return false
	}
	p.guests++
	return true
}

func (s *Server) listHTTP(w http.ResponseWriter, r *http.Request) {
	list, err := s.catalogue.serve(r.Context(), struct{}{})
	if err != nil {
		said(w, r, http.StatusInternalServerError, "the services cannot be listed")
		return
	}
	answer(w, r, http.StatusOK, "application/json", list)
}

// said answers with one line.
func said(w http.ResponseWriter, r *http.Request, status int, line string) {
	answer(w, r, status, "text/plain; charset=utf-8", []byte(line+"\n"))
}

// answer answers a GET or HEAD; other methods learn that those are what there is.
func answer(w http.ResponseWriter, r *http.Request, status int, kind string, body []byte) {
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead && status < 400 {
		h.Set("Allow", "GET, HEAD")
		status, kind, body = http.StatusMethodNotAllowed, "text/plain; charset=utf-8", []byte("only GET and HEAD\n")
	}
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(body) // a peer that has gone reads nothing
	}
}

// rescue keeps the panic of a handler from being more than an error and a line in the log.
func (s *Server) rescue(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p) // net/http's own way to break off
	}
	stack := debug.Stack()
	if left, ok := s.httpFaults.pass(time.Now()); ok {
		attrs := []slog.Attr{
			slog.String("path", shown(strings.ToValidUTF8(r.URL.Path, "?"), mostShown)),
			slog.String("panic", shown(fmt.Sprint(p), mostError)), slog.String("stack", string(stack)),
		}
		s.log(slog.LevelError, "an HTTP handler panicked", withLeft(attrs, left)...)
	}
	s.panicked(httpName, p, stack)
	panic(http.ErrAbortHandler) // what has been written may be half an answer
}

// What Observer.Panicked is told where it is no service's handler: no service can have such a name.
const (
	httpName = "!http"
	authName = "!auth"
)

// panicked counts a panic, and tells whoever wants to know.
func (s *Server) panicked(name string, value any, stack []byte) {
	s.count.panics.Add(1)
	if o := s.config.Observer; o != nil && o.Panicked != nil {
		o.Panicked(name, value, stack)
	}
}

// SetReady says whether /readyz is green. It is until Shutdown or Close begins, or SetReady(false) is called: do that a little before Shutdown, which
// closes the listener at once, where a load balancer has to see it first. Calls are served all the same.
func (s *Server) SetReady(ok bool) { s.unready.Store(!ok) }

func (s *Server) isReady() bool { return !s.unready.Load() && !s.isStopping() }
