package main

import (
	"github.com/spf13/pflag"

	"github.com/rpckids/rpckids/console"
)

// secureFlags declares the flags about TLS and about who calls. The token has no default that a help text could show.
func (p *program) secureFlags(f *pflag.FlagSet) {
	s := &p.secure
	f.BoolVar(&s.TLS, "tls", s.TLS, "speak TLS")
	f.StringVar(&s.CA, "ca", s.CA, "trust the authorities in this PEM `FILE` instead of the system's")
	f.StringVar(&s.Cert, "cert", s.Cert, "show the client certificate in this PEM `FILE`")
	f.StringVar(&s.Key, "key", s.Key, "its key; without, it stands in the `FILE` of the certificate")
	f.Var((*token)(&s.Token), "token", "say who calls; other users of this machine can see it here and not in RPCKIDS_TOKEN")
	f.BoolVar(&s.TokenPlain, "token-plain", s.TokenPlain, "send the token without TLS, too")
}

// token is a flag whose value is never shown.
type token string

func (t *token) String() string     { return "" }
func (t *token) Set(v string) error { *t = token(v); return nil }
func (t *token) Type() string       { return "TOKEN" }

// security is what flags and the environment say. A server inside this program needs none of it.
func (p *program) security() console.Security {
	if p.inside {
		return console.Security{}
	}
	s := p.secure
	s.Token = or(s.Token, p.env("RPCKIDS_TOKEN"))
	return s
}
