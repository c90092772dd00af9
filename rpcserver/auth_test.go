package rpcserver_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// asked is an Authenticator that a test makes.
type asked func(rpcserver.Credentials) (string, error)

func (f asked) Authenticate(_ context.Context, c rpcserver.Credentials) (string, error) { return f(c) }

// What an Authenticator says and does wrong reaches the peer as an error without its text, and never with the token.
func TestAuthenticators(t *testing.T) {
	for _, test := range []struct {
		name, want string
		f          asked
	}{
		{"knows", `"ann"`, func(rpcserver.Credentials) (string, error) { return "ann", nil }},
		{"fails", "unauthenticated: who calls cannot be told, or is not known here", func(c rpcserver.Credentials) (string, error) { return "", errors.New("no " + c.Token) }},
		{"says why", "unavailable: try later, [token]", func(c rpcserver.Credentials) (string, error) {
			return "", rpcserver.Errorf(rpcserver.Unavailable, "try later, %s", c.Token)
		}},
		{"says nothing", "unauthenticated: this server wants to know who calls: set a token, or show a client certificate", func(rpcserver.Credentials) (string, error) { return "", nil }},
		{"panics", "internal: the server cannot find out who calls; its log says more", func(c rpcserver.Credentials) (string, error) { panic(c.Token) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := inMemory(t, &rpcserver.Config{Auth: test.f}, 0)
				rpcserver.Handle(h.s, "who", func(ctx context.Context, _ struct{}) (string, error) { return rpcserver.Identity(ctx), nil })
				noted := make(chan string, 1)
				rpcserver.HandleCast(h.s, "note", func(ctx context.Context, _ string) error {
					noted <- rpcserver.Identity(ctx)
					return nil
				})
				settings := wire.DefaultSettings()
				settings.Authorization = "Bearer s3cret"
				p := h.visit2(&settings)
				p.call("who", "null")
				want := "ERROR 1 " + test.want
				if test.want[0] == '"' {
					want = "DATA 1 END " + test.want
				}
				p.want(want)
				if test.name == "knows" {
					p.open(wire.FlagEnd, wire.OpenHead{OneWay: true}, "note", `"x"`)
					if got := <-noted; got != "ann" {
						t.Errorf("a cast is of %q", got)
					}
				}
			})
		})
	}
}

// A peer that tries tokens, one with each call, gets a line into the log once a second.
func TestTokensThatAreTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		auth := asked(func(c rpcserver.Credentials) (string, error) {
			if c.Token == "worse" {
				panic("no")
			}
			return "", errors.New("no")
		})
		h := inMemory(t, &rpcserver.Config{Auth: auth, Logger: slog.New(slog.NewTextHandler(&out, nil))}, 0)
		p := h.visit2(nil)
		for _, token := range []string{"bad", "worse"} {
			for range 2 {
				for range 100 {
					p.call("fib", "10", "authorization", token)
					if got, err := p.next(); err != nil || !strings.HasPrefix(got, "ERROR") {
						t.Fatal(got, err)
					}
				}
				time.Sleep(time.Second)
			}
		}
		lines := 0
		for _, l := range out.lines() {
			if strings.Contains(l, "cannot tell who calls") || strings.Contains(l, "the authenticator panicked") {
				lines++
			}
		}
		if lines != 4 {
			t.Errorf("%d lines in 4 seconds", lines)
		}
	})
}
