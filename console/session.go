package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"sync/atomic"
)

// DefaultAddr is where a bare connect goes.
const DefaultAddr = "localhost:8888"

// Config says what a session stands on. The zero value is a session that can do everything but connect.
type Config struct {
	Dial     Dialer             // makes connections; nil: connect is refused
	Protocol string             // what connections speak unless connect says otherwise: "auto", "v1" or "v2"; "" is auto
	Addr     string             // where a bare `connect` goes; "" means DefaultAddr
	Connect  bool               // a command that needs a connection makes it, to Addr: for a session of one command
	Script   bool               // nobody watches: the server is asked what it offers only when a command needs it, so that a script runs the same each time
	History  *History           // nil: lines are kept in memory only
	Settings map[string]Setting // start values that are not the defaults; CheckSetting tells whether one is good
	Topics   map[string]string  // further help topics, as "keys", which only the faces know
	Stdin    io.Reader          // what the payload "-" reads, until the end: it should end with the command's context; nil where standard input is taken, as at a prompt or in a script
	ASCII    bool               // texts use "us" instead of "µs"; the setting "box" wins over it
	Version  string             // of the program, shown by status
	Security Security           // of connections, unless connect says otherwise
	Lab      Lab                // servers under the hand of the console, for the command peer; nil for none. It stays its owner's to close
}

// Session is one person at the console: a connection, the types they registered, their settings and the journal of what they called.
// Its methods are safe for concurrent use; a running call does not hold up the next command. Close it to cancel and await what runs.
type Session struct {
	cfg      Config
	commands []*command
	journal  *Journal
	log      *Log
	history  *History
	ctx      context.Context // ends when the session closes
	stop     context.CancelCauseFunc
	running  sync.WaitGroup // commands
	pins     watches
	bench    atomic.Pointer[Bench] // the newest, as it is shown
	benching atomic.Bool

	mu       sync.Mutex // protects the fields below
	closed   bool
	backend  Backend     // nil: not connected
	target   string      // of the backend, or of the last one
	options  DialOptions // how it was made
	previous string      // what `connect -` goes back to
	before   DialOptions // how that was made
	types    map[string]registered
	seen     map[string]seen
	hinted   map[string]bool // reply types whose rpc line was shown
	settings map[string]Setting

	catalogue catalogue          // what the server of backend offers, as far as it told
	quiet     context.CancelFunc // ends the question for it

	monitors map[*Monitor]bool // that are open

	recognized bool // the question was asked again, since the server has shown to be one of ours
}

// NewSession returns a session that is not connected. A start value in cfg.Settings that is no good is left out.
func NewSession(cfg Config) *Session {
	s := &Session{cfg: cfg, commands: builtin(), journal: NewJournal(), history: cfg.History,
		types: map[string]registered{}, seen: map[string]seen{}, hinted: map[string]bool{}}
	if s.history == nil {
		s.history = NewHistory(nil, nil)
	}
	s.log = &Log{ring: s.journal.Note}
	s.ctx, s.stop = context.WithCancelCause(context.Background())
	s.settings = startSettings(cfg.Settings)
	return s
}

var errClosing = errors.New("the session is closed")

// Exec runs one command line. Its error is an *Error; a failed call comes with both, its entry in the result and the error.
// Ending ctx cancels the command, not the session.
func (s *Session) Exec(ctx context.Context, line string) (Result, error) {
	return s.exec(ctx, scan(line), Talk{})
}

// ExecTalk is Exec for a face that shows items as they come and can ask for lines.
func (s *Session) ExecTalk(ctx context.Context, line string, talk Talk) (Result, error) {
	return s.exec(ctx, scan(line), talk)
}

// ExecArgs is ExecTalk for words that the shell has split: they are taken as they are and never joined.
func (s *Session) ExecArgs(ctx context.Context, args []string, talk Talk) (Result, error) {
	return s.exec(ctx, scanArgs(args), talk)
}

func (s *Session) exec(ctx context.Context, in *input, talk Talk) (r Result, err error) {
	if len(in.words) == 0 {
		return Result{}, nil
	}
	ctx, leave, err := s.enter(ctx)
	if err != nil {
		return Result{}, present(err)
	}
	defer leave()
	defer func() { s.log.command(in.line, r, err) }()
	defer func() { // the one place that turns a panic of a command into an error: the terminal and the session outlive it
		if p := recover(); p != nil {
			err = &Error{Exit: ExitInternal, Message: shorten(Printable(fmt.Sprintf("internal error: %v", p)), maxMessage), Hint: "this is a fault of the console, please report it"}
		}
	}()
	a, err := s.bind(in)
	if err != nil {
		return Result{}, present(err)
	}
	a.talk = talk
	r, err = s.runLine(ctx, a)
	return r, present(err)
}

// enter counts a command as running until leave is called. Its context also ends with the session.
func (s *Session) enter(ctx context.Context) (_ context.Context, leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, &Error{Exit: ExitInterrupted, Message: errClosing.Error()}
	}
	s.running.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	unhook := context.AfterFunc(s.ctx, func() { cancel(errClosing) })
	return ctx, func() {
		unhook()
		cancel(nil)
		s.running.Done()
	}, nil
}

// Close cancels running commands, waits for them and closes the connection. Commands fail from then on; the journal stays readable.
// Further calls return nil.
func (s *Session) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.stop(errClosing)
	s.running.Wait()
	s.closeMonitors()
	if b := s.swap(nil, "", DialOptions{}); b != nil {
		return b.Close()
	}
	return nil
}

// swap makes b the connection and returns the one before; the caller closes it.
func (s *Session) swap(b Backend, target string, o DialOptions) (old Backend) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, s.backend = s.backend, b
	s.catalogue, s.recognized = catalogue{}, false
	for name, t := range s.seen { // another server may do it another way
		t.kind = KindCall
		s.seen[name] = t
	}
	if s.quiet != nil {
		s.quiet()
		s.quiet = nil
	}
	if target != "" && (target != s.target || o != s.options) { // the same server with another token is another connection
		s.previous, s.before, s.target = s.target, s.options, target
	}
	if b != nil {
		s.options = o
	}
	return old
}

// optionsNow is how the connection, or the last one, was made.
func (s *Session) optionsNow() DialOptions {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.options
}

// link returns the connection, nil when there is none, and its target.
func (s *Session) link() (Backend, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.backend, s.target
}

// Journal returns what the session called so far.
func (s *Session) Journal() *Journal { return s.journal }

// Log returns what happened besides the calls: connections made and lost, what commands said and why they failed.
func (s *Session) Log() *Log { return s.log }

// History returns the lines typed so far. Faces add to it; Exec does not.
func (s *Session) History() *History { return s.history }

// Stats says how the connection is doing; the zero value when there is none. What changed since it was last asked goes into the log.
func (s *Session) Stats() Stats {
	b, _ := s.link()
	if b == nil {
		return Stats{}
	}
	now := b.Stats()
	var peers []Peer
	if now.Servers > 1 {
		peers = s.numbered(b.Peers())
	}
	s.log.saw(b, now, peers)
	return now
}

// Prompt returns what stands before "> ": the address, and the state of the connection when it is not simply up. It is safe for a terminal.
func (s *Session) Prompt() string {
	b, target := s.link()
	if b == nil {
		return "(not connected)"
	}
	st := b.Stats()
	st.Target = target
	target = st.Label()
	switch st.State {
	case Idle:
		return target + " (idle, will reconnect)"
	case Reconnecting:
		if st.Attempt > 0 {
			return fmt.Sprintf("%s (reconnecting %d)", target, st.Attempt)
		}
		return target + " (reconnecting)"
	case Disconnected:
		return target + " (not connected)"
	}
	return target
}

// ascii says whether texts do without the characters of Unicode.
func (s *Session) ascii() bool {
	box := s.Setting("box")
	return box == "ascii" || box != "unicode" && s.cfg.ASCII
}

// Shape returns the registered shape of a request or reply type, written short.
func (s *Session) Shape(typ string) (string, bool) {
	t, ok := s.registered(typ)
	if !ok {
		return "", false
	}
	return Printable(t.shape.String()), true
}

// ServerTimeField returns the name of the field that --server-time gave for a reply type, or for the reply of a request type: "costInNanos".
// It is "" where none is known.
func (s *Session) ServerTimeField(typ string) string {
	if t, ok := s.registered(typ); ok && len(t.serverTime) > 0 {
		return Printable(t.serverTime.Last())
	}
	if t, ok := s.answerType(s.replyOf(typ)); ok {
		return Printable(t.serverTime.Last())
	}
	return ""
}

// typesNow returns the types that the user registered and those that the server told; the map is the caller's.
func (s *Session) typesNow() map[string]registered {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]registered{}
	for _, some := range []map[string]registered{s.catalogue.replies, s.catalogue.requests, s.types} {
		maps.Copy(all, some)
	}
	return all
}
