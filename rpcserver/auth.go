package rpcserver

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"strings"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// Authenticator finds out who is calling. It is asked once for each connection, when all that its peer tells of itself has come; again for a call that
// brings a token of its own; and for each HTTP request. Many may be asked at once. ctx ends with the connection, or after [Config.HalfMessage].
//
// The peer waits meanwhile, and so do its other calls: keep what takes long to find out. The error becomes unauthenticated, without its text, which goes
// to the log; an [*Error] goes out as it is.
type Authenticator interface {
	Authenticate(ctx context.Context, c Credentials) (identity string, err error)
}

// Credentials are what a peer has shown. They print without the token.
type Credentials struct {
	Token       string            // over version 2 and HTTP; "" if there is none
	Name        string            // from a client certificate that was verified, as [Identity] says; "" if there is none
	Certificate *x509.Certificate // that certificate, or nil
	Peer        net.Addr
	Protocol    string // "v1", "v2" or "HTTP"
}

// String leaves the token out, and so do GoString and LogValue.
func (c Credentials) String() string {
	token := "no token"
	if c.Token != "" {
		token = "a token"
	}
	return fmt.Sprintf("%s, certificate %q, %v, %s", token, c.Name, c.Peer, c.Protocol)
}

// GoString is String.
func (c Credentials) GoString() string { return c.String() }

// LogValue is String.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// staticTokens maps the hash of a token to a name. All of them are looked at, always.
type staticTokens []struct {
	hash [sha256.Size]byte
	name string
}

// StaticTokens returns an Authenticator that knows a fixed set: each key is a token, its value the identity of who shows it. A client certificate
// that was verified is good without a token; a wrong token is refused whatever else is shown. Tokens are compared by their hashes, in a time that does not depend
// on them, and not kept. Empty tokens and names are an error, as are tokens that no header could carry.
func StaticTokens(tokens map[string]string) (Authenticator, error) {
	if len(tokens) == 0 {
		return nil, errors.New("no tokens")
	}
	known := make(staticTokens, 0, len(tokens))
	for token, name := range tokens {
		switch {
		case name == "":
			return nil, errors.New("a token without a name")
		case token == "":
			return nil, fmt.Errorf("the token of %s is empty", quote(name))
		case len(token) > wire.MaxAuthorization-len(bearer):
			return nil, fmt.Errorf("the token of %s has %d bytes, at most %d", quote(name), len(token), wire.MaxAuthorization-len(bearer))
		case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
			return nil, fmt.Errorf("the token of %s has characters other than visible ASCII", quote(name))
		}
		known = append(known, struct {
			hash [sha256.Size]byte
			name string
		}{sha256.Sum256([]byte(token)), name})
	}
	return known, nil
}

func (k staticTokens) Authenticate(_ context.Context, c Credentials) (string, error) {
	if c.Token == "" {
		if c.Name != "" {
			return c.Name, nil
		}
		return "", nobody(c.Protocol)
	}
	hash, found := sha256.Sum256([]byte(c.Token)), -1
	for i := range k {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], k[i].hash[:]), i, found)
	}
	if found < 0 {
		return "", Errorf(Unauthenticated, "the token is not known here: was it mistyped, or has it been replaced?")
	}
	return k[found].name, nil
}

// nobody is the error for a peer that has shown nothing.
func nobody(protocol string) *Error {
	switch protocol {
	case protocolV1:
		return Errorf(Unauthenticated, "this server wants to know who calls: speak version 2 with a token, or show a client certificate")
	case protocolHTTP:
		return Errorf(Unauthenticated, "this server wants to know who asks: send the header Authorization: Bearer TOKEN, or show a client certificate")
	}
	return Errorf(Unauthenticated, "this server wants to know who calls: set a token, or show a client certificate")
}

var protocolV1, protocolV2, protocolHTTP = wire.V1.String(), wire.V2.String(), wire.HTTP.String()

const bearer = "Bearer "

// tokenOf takes the scheme off an authorization, if it has one.
func tokenOf(authorization string) string {
	if len(authorization) >= len(bearer) && strings.EqualFold(authorization[:len(bearer)], bearer) {
		return strings.TrimSpace(authorization[len(bearer):])
	}
	return authorization
}

// authenticate asks the Authenticator. A panic of its is an error, and no text of its shows the token. doubt is what the log is to say of whom it denies;
// "" if it has been said.
func (c *conn) authenticate(ctx context.Context, cr Credentials) (name string, denied *Error, doubt string) {
	ctx, cancel := context.WithTimeout(ctx, c.s.config.HalfMessage)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			stack := debug.Stack()
			if left, ok := c.s.authFaults.pass(time.Now()); ok {
				attrs := []slog.Attr{slog.String("panic", shown(without(cr.Token, fmt.Sprint(p)), mostError)), slog.String("stack", string(stack))}
				c.log(slog.LevelError, "the authenticator panicked", withLeft(attrs, left)...)
			}
			c.s.panicked(authName, without(cr.Token, fmt.Sprint(p)), stack)
			name, denied, doubt = "", Errorf(Internal, "the server cannot find out who calls; its log says more"), ""
		}
	}()
	name, err := c.s.config.Auth.Authenticate(ctx, cr)
	switch e, typed := errors.AsType[*Error](err); {
	case typed && e != nil:
		told := *bounded(e)
		told.Message = without(cr.Token, told.Message)
		denied, doubt = &told, told.Message
	case err != nil:
		denied, doubt = Errorf(Unauthenticated, "who calls cannot be told, or is not known here"), without(cr.Token, err.Error())
	case name == "":
		denied = nobody(cr.Protocol)
		doubt = denied.Message
	}
	if denied != nil {
		return "", denied, shown(doubt, mostError)
	}
	return name, nil, ""
}

// logDoubt logs that a call or a request was denied because it cannot be told who makes it.
func (c *conn) logDoubt(doubt string) {
	if doubt == "" || !c.s.logs(slog.LevelWarn) {
		return
	}
	if left, ok := c.s.doubts.pass(addressOf(c.nc.RemoteAddr()), time.Now()); ok {
		c.log(slog.LevelWarn, "cannot tell who calls", withLeft([]slog.Attr{slog.String("error", doubt)}, left)...)
	}
}

// leastHidden is how long a token has to be to be taken out of texts: a shorter one is no secret, and may be a part of any word.
const leastHidden = 6

// without takes a token out of a text.
func without(token, text string) string {
	if len(token) < leastHidden {
		return text
	}
	return strings.ReplaceAll(text, token, "[token]")
}

// meet finds out who the peer is, as soon as it has told all that it tells of itself. For the reader, before the first call.
func (c *conn) meet(protocol, token string) {
	if c.pass == nil {
		if c.s.config.Auth == nil {
			return
		}
		c.pass = new(passport)
	}
	p := c.pass
	p.name = nameIn(p.cert)
	if c.s.config.Auth != nil {
		p.name, p.denied, p.doubt = c.authenticate(c.ctx, c.credentials(protocol, token))
	}
	if p.name != "" {
		c.ctx = withIdentity(c.ctx, p.name)
	}
}

func (c *conn) credentials(protocol, token string) Credentials {
	cr := Credentials{Token: tokenOf(token), Peer: c.nc.RemoteAddr(), Protocol: protocol}
	if p := c.pass; p != nil {
		cr.Certificate, cr.Name = p.cert, nameIn(p.cert)
	}
	return cr
}

// admit says why a call may not even wait for a worker, or nil. For the reader.
func (c *conn) admit(call *Call) *Error {
	if c.s.config.Auth == nil {
		return nil
	}
	e, doubt := c.pass.denied, c.pass.doubt
	if token, own := authorization(call); own {
		call.who, e, doubt = c.authenticate(c.ctx, c.credentials(protocolV2, token))
	}
	c.logDoubt(doubt)
	return e
}

// authorization is what a call shows of its own, if it does.
func authorization(call *Call) (token string, own bool) {
	if call.stream != nil {
		for name, value := range wire.Fields(call.stream.Meta()) {
			if name == wire.FieldAuthorization {
				return value, true
			}
		}
	}
	return "", false
}

// permit asks the Authorize of the Config whether a call may run. The built-in services are for everybody who may call at all.
func (c *conn) permit(ctx context.Context, call *Call) *Error {
	ask := c.s.config.Authorize
	if ask == nil || strings.HasPrefix(call.service.name, "!") {
		return nil
	}
	err := ask(ctx, call.service.name)
	if err == nil {
		return nil
	}
	c.s.refused(forbidden, c.nc.RemoteAddr())
	if e, ok := errors.AsType[*Error](err); ok && e != nil {
		return bounded(e)
	}
	return bounded(Errorf(PermissionDenied, "%s may not call %s: %v", named(Identity(ctx)), call.service.name, err))
}

func named(who string) string {
	if who == "" {
		return "an unknown caller"
	}
	return who
}
