package rpcclient

import (
	"strings"

	"github.com/rpckids/rpckids/internal/wire"
)

// checkSecurity says whether what the Config says about TLS and tokens makes
// sense. Its error never shows the token.
func (c *Config) checkSecurity() error {
	if c == nil || c.Token == "" {
		return nil
	}
	switch {
	case c.Protocol == V1:
		return badConfig("version 1 carries no token: leave Protocol at Auto, or show a client certificate instead")
	case c.TLS == nil && !c.TokenPlain:
		return badConfig("a token without TLS can be read by everybody on the way: set TLS, or TokenPlain if the way is safe")
	case len(c.Token) > wire.MaxAuthorization:
		return badConfig("the token has more bytes than the limit")
	case strings.ContainsFunc(c.Token, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return badConfig("the token has characters other than visible ASCII: has a line end come along?")
	}
	return nil
}

func badConfig(message string) error {
	return &Error{Status: Status{Code: InvalidArgument, Message: message}, Kind: ErrConfig}
}

// hide keeps a token that a call carries in its metadata out of its trace.
func (t *Trace) hide(k *call) {
	if k.cargo != nil && k.cargo.out[wire.FieldAuthorization] != "" {
		wire.Redact(t.Out)
	}
}
