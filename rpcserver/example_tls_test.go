package rpcserver_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"

	"github.com/rpckids/rpckids/rpcserver"
)

// A server for callers that a token has named, over TLS alone, with a certificate that is read again when it changes on disk.
func Example_secure() {
	pair, err := rpcserver.NewCertFiles("server.pem", "server-key.pem", slog.Default())
	if err != nil {
		log.Fatal(err)
	}
	known, err := rpcserver.StaticTokens(map[string]string{"a long random token": "billing"}) // from a file, and not from the source
	if err != nil {
		log.Fatal(err)
	}
	s := rpcserver.New(&rpcserver.Config{
		TLS:         &tls.Config{GetCertificate: pair.GetCertificate},
		RefusePlain: true,
		Auth:        known,
		Authorize: func(ctx context.Context, service string) error {
			if rpcserver.Identity(ctx) != "billing" {
				return errors.New("only billing may")
			}
			return nil
		},
	})
	rpcserver.Handle(s, "greet", func(ctx context.Context, _ struct{}) (string, error) {
		return fmt.Sprintf("hello, %s", rpcserver.Identity(ctx)), nil
	})
	log.Fatal(s.ListenAndServe("localhost:8888"))
}
