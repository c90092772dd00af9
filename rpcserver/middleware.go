package rpcserver

import (
	"fmt"
	"slices"
)

// Middleware wraps the Handler of every service, whatever its pattern: what it does before and after next.ServeCall surrounds the
// whole call or the whole stream. It may answer itself, with an error or c.Reply, and not call next.
//
//	func logged(next rpcserver.Handler) rpcserver.Handler {
//		return rpcserver.HandlerFunc(func(ctx context.Context, c *rpcserver.Call) error {
//			err := next.ServeCall(ctx, c)
//			log.Println(c.Service(), err)
//			return err
//		})
//	}
type Middleware func(next Handler) Handler

// Use adds middleware around all services, those that come later and the built-in ones as well; the first that was added is the outermost.
// A service that is [Quick] runs its middleware where calls are read, so that has to be quick too. Use panics once the server serves:
// calls under way would have passed half of it. It panics, too, if one is nil, or makes no handler of a service's.
func (s *Server) Use(mw ...Middleware) *Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.addr != nil {
		panic("rpcserver: Use after Serve")
	}
	if slices.ContainsFunc(mw, func(m Middleware) bool { return m == nil }) {
		panic("rpcserver: Use of a nil Middleware")
	}
	s.middleware = append(s.middleware, mw...)
	for _, v := range *s.services.Load() {
		s.wrapLocked(v)
	}
	return s
}

func (s *Server) wrapLocked(v *service) {
	v.chain = v.handler
	for i := len(s.middleware) - 1; i >= 0; i-- {
		if v.chain = s.middleware[i](v.chain); v.chain == nil {
			panic(fmt.Sprintf("rpcserver: a Middleware made no handler of service %q", v.name))
		}
	}
}
