package console

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// topics of help that are no commands. Text is plain, wrapped at 78 columns.
var topicTexts = map[string]string{
	"exit-codes": exitCodeText(),
	"filters":    filterText,
	"language": `A line is a command, or a comment that starts with #:

  COMMAND words --flag value --flag=value   flags may stand anywhere
  TYPE PAYLOAD    short for call, when "rpc TYPE ..." registered the request
  !!   !128       the last call again; call 128 again

Words need no quotes. Only the payload is JSON, and it may hold spaces. If a
line ends inside of its brackets, the next line goes on with it. -1 is a number
and no flag; after -- nothing is a flag.

In a script each line is a command. In the shell the words are the command's:
  rpckids-console -o json call exp '{"base":2,"exp":10}'
Flags of the console itself, -a ADDR, -o FORMAT, --proto NAME and --theme NAME,
stand before or after the command.

A line that is wrong is not run: a caret shows the place, a hint the cure.`,
	"payloads": `A payload is JSON: 10, "text", [1,2], {"base":2,"exp":10}. Nothing means null.

  @FILE            the content of a file
  -                standard input, for a single command started from a shell
  $last            the last reply, as it is
  $128             the reply of call 128
  $128.value       a field of it; $128.items[0].name goes deeper
  "${last.name}"   inside a string only this form counts, and is put in as text

What does not fit the registered shape of its type is not sent: a caret shows
the place. --no-check sends it all the same.`,
	"types": `rpc TYPE SHAPE registers what a request or a reply looks like. SHAPE is

  int64 int32 string bool float64 any   and Go's other plain types
  []T  map[string]T  *T                 list, map, nullable
  {name:type, other?:type}              an object; ? marks an optional field
  struct{ Value int64 ` + "`json:\"value\"`" + ` }  a Go struct, pasted as it is
  Long Integer String Boolean List<T> Map<String,T>   as Java writes them
  @FILE                                 a JSON Schema

Requests are checked before they are sent; fields they do not know are refused.
Replies are checked when they come; fields they do not know are fine.
64-bit integers stay exact in both directions.

A reply whose type is not registered is shown as it is, with the line that would
register it. After "set strict on" it is an error.`,
	"streams": `A service is a call (one request, one reply), a cast (no reply), a stream (items
come back), an upload (items go, one reply) or bidi (both). "services" tells
which; "call" does the right thing for each where the server says what it is.

  call fibs 10           items are shown as they come, each on its own line
  upload sum 1 2 3       items go: from the line, @FILE, - or the prompt
  chat chat              type a line, see what comes back, and so on

At the prompt ctrl+d, or a line with only a dot, ends what you send; ctrl+c
cancels all, on the server too, and says how many items came. An item that does
not fit is not sent: the line comes back to be mended. Where the service takes
text, a line needs no quotes.

The setting timeout does not count for streams, --timeout does. $last and $128
are the last item. "show 128" lists the newest items; the newest 1000 of each
stream, up to 1 MiB, are kept.

Streams need protocol v2, which rpckids servers speak. With --proto auto, the
usual, the console finds out; to a plain v1 server only call and cast go.`,
	"timing": `#128 exp_res ok  398 µs  client 21 µs  network 349 µs  server 28 µs  70 B > 89 B

  398 µs    the round trip, from the call to its result
  client    encoding, decoding and queueing in this process
  network   from the first byte written to the last byte read, without the time
            that the server took
  server    the server's own time, read from the field that --server-time named
  queue     waiting for its turn on the server, as the server measured it
  handler   running on the server, as the server measured it
  wait      instead of network, when the server's time is not known
  70 B > 89 B   bytes sent and received, with their headers

The parts add up to the round trip. Where the server speaks v2 it tells queue
and handler by itself, and they stand in the place of server.

#129 fibs ok  61.6 ms  90 items  1 474/s  first item 1.20 ms  items 60.4 ms

  first item   from the call to the first item of the stream
  items        from the first item to the end`,
}

func exitCodeText() string {
	var t table
	for _, c := range exitCodes {
		t.add(fmt.Sprintf("%4d", c.code), c.text)
	}
	return t.String() + "\n\nA script stops at the first failure with that code; with --keep-going it runs on\nand ends with the first failure's code."
}

var exitCodes = []struct {
	code Exit
	text string
}{
	{ExitOK, "every command succeeded"},
	{ExitInternal, "internal error"},
	{ExitUsage, "usage: unknown command, bad flag, bad argument"},
	{ExitConnect, "cannot connect"},
	{ExitConnection, "connection lost, or the peer broke the protocol"},
	{ExitDeadline, "deadline exceeded, ours or the server's"},
	{ExitServer, "the server reported an error"},
	{ExitType, "payload or reply does not fit its type"},
	{ExitExpect, "an `expect` failed"},
	{ExitBench, "a `bench` missed its limit"},
	{ExitInterrupted, "interrupted (143 on SIGTERM)"},
}

// topics returns the names of help topics that are no commands, sorted.
func (s *Session) topics() []string {
	names := slices.Collect(maps.Keys(topicTexts))
	for name := range s.cfg.Topics {
		if _, ok := topicTexts[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Help returns the text of `help TOPIC`, without colour; the topic "" is the overview. It is "" for an unknown topic.
func (s *Session) Help(topic string) string {
	if topic == "" {
		return s.overview()
	}
	if text, ok := s.cfg.Topics[topic]; ok {
		return text
	}
	text, ok := topicTexts[topic]
	if !ok {
		if c := find(s.commands, topic); c != nil {
			text = c.manual()
		} else if t, ok := s.registered(topic); ok {
			text = "rpc " + typeText(topic, t) + "\n\nas in: " + PrintableJSON(t.shape.Sample())
		}
	}
	if s.ascii() {
		text = strings.ReplaceAll(text, "µs", "us")
	}
	return text
}

func (s *Session) overview() string {
	var b strings.Builder
	group := ""
	var t table
	flush := func() {
		if group != "" {
			b.WriteString(group + "\n" + t.String() + "\n\n")
		}
		t = table{}
	}
	for _, c := range s.commands {
		if c.group != group {
			flush()
			group = c.group
		}
		name := c.name
		if c.args != "" {
			name += " " + c.args
		}
		t.add("  "+fmt.Sprintf("%-21s", name), c.help)
	}
	flush()
	b.WriteString(ansi.Wordwrap("help TOPIC tells more: a command, or "+strings.Join(s.topics(), ", "), 78, ""))
	return b.String()
}

// manual is the help of one command.
func (c *command) manual() string {
	lines := []string{c.usage(), "  " + c.help}
	if len(c.aliases) > 0 {
		lines = append(lines, "  also: "+strings.Join(c.aliases, ", "))
	}
	if c.long != "" {
		lines = append(lines, "", ansi.Wordwrap(c.long, 78, ""))
	}
	if len(c.flags) > 0 {
		var t table
		for _, f := range c.flags {
			t.add("  "+f.usage(), f.help)
		}
		lines = append(lines, "", t.String())
	}
	if len(c.examples) > 0 {
		lines = append(lines, "", "  "+strings.Join(c.examples, "\n  "))
	}
	return strings.Join(lines, "\n")
}
