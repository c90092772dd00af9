package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/rpckids/rpckids/rpcserver"
)

// stops says in the log why the server stops, and for how long it goes on until then.
func (l *limits) stops(logger *slog.Logger, why os.Signal) {
	said := []any{"signal", why.String()}
	if l.lameDuck > 0 {
		said = append(said, "lame_duck", l.lameDuck)
	}
	logger.Info("server stops", append(said, "drain", l.drain)...)
}

// shutdown lets the server go on for a while as if nothing were, so that balancers see that it is not ready, and then waits for running calls, until the time
// to drain is over. Another signal ends both, and Stats.Cut counts what was cut then.
func shutdown(s *rpcserver.Server, signals <-chan os.Signal, lameDuck, drain time.Duration) {
	select {
	case <-time.After(lameDuck):
	case <-signals:
		drain = 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	drained := make(chan struct{})
	go func() { // ends with ctx at the latest; waited for below
		defer close(drained)
		_ = s.Shutdown(ctx) // its error says what Stats.Cut does
	}()
	select {
	case <-drained:
	case <-signals:
		cancel()
		<-drained
	}
}
