package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/metrics"
	"strings"
	"time"

	"github.com/itchyny/gojq"
)

// A filter is the user's own program, so it cannot be kept from being slow or large. It can be stopped, between two of its steps. What one step does is beyond
// that: a program that builds a value millions of brackets deep and then compares it, say, exhausts the stack.
const (
	filterTime   = 2 * time.Second // of one run
	filterBytes  = 1 << 20         // of what it gives
	filterValues = 1000            // likewise
	filterMemory = 256 << 20       // by which the process may grow meanwhile
	filterDepth  = 10_000          // of nested brackets in a value, as in any JSON that is read
)

// LiveFilter is the time that a filter may take while it is typed, where its result is shown at each key.
const LiveFilter = 250 * time.Millisecond

// Filter is a jq program, compiled. It sees its input and nothing else: no file, no environment, no further input. Whole numbers of any size stay
// exact; the fields of objects come out sorted by name. Safe for concurrent use.
type Filter struct {
	text string
	code *gojq.Code
	refs []string // the variables that it takes, each as the text of a reference: last, 128; or call
	args []any    // their values
}

// CompileFilter compiles a jq program. An empty one gives its input. Its error is an *Error whose Line is text and whose At is the place. References to replies,
// as $last, are known to [Session.CompileFilter] only.
func CompileFilter(text string) (*Filter, error) {
	f, err := compileFilter(text)
	if err == nil && len(f.refs) > 0 {
		return nil, misfilter(text, strings.Index(text, "$"+f.refs[0]), fmt.Sprintf("$%s is not known here", f.refs[0]), "")
	}
	return f, err
}

// CompileFilter compiles a jq program in which $last and $128 are replies, as they are now.
func (s *Session) CompileFilter(text string) (*Filter, error) {
	f, err := compileFilter(text)
	if err != nil {
		return nil, err
	}
	for i, name := range f.refs {
		if name == callVariable {
			continue
		}
		at := strings.Index(text, "$"+name)
		r, err := parseReference(text[:at+1+len(name)], at)
		if err == nil {
			f.args[i], err = r.decoded(s.reply)
		}
		if err != nil {
			b, _ := errors.AsType[*badReference](err)
			return nil, misfilter(text, at, b.text, b.hint)
		}
	}
	return f, nil
}

// decoded is the value of a reference as a filter takes it.
func (r reference) decoded(find lookup) (any, error) {
	raw, err := r.value(find)
	if err != nil {
		return nil, err
	}
	v, err := decodeInput(raw)
	if err != nil {
		return nil, &badReference{r.at, err.Error(), ""}
	}
	return v, nil
}

func compileFilter(text string) (*Filter, error) {
	source := renamed(text)
	query, err := gojq.Parse(source.text)
	if err != nil {
		return nil, source.misfilter(err)
	}
	f := &Filter{text: text, refs: source.refs, args: make([]any, len(source.refs))}
	names := make([]string, len(f.refs))
	for i, r := range f.refs {
		names[i] = variable(r)
	}
	if f.code, err = gojq.Compile(query, gojq.WithVariables(names)); err != nil {
		return nil, source.misfilter(err)
	}
	return f, nil
}

// String is the program as it was written.
func (f *Filter) String() string { return f.text }

// Run gives the values that the program makes of a payload, each as JSON. It ends with ctx, and after 2 s in any case; the values it gave until then, or
// until there were too many of them, come with the error, which is an *Error.
func (f *Filter) Run(ctx context.Context, payload []byte) ([]json.RawMessage, error) {
	return f.run(ctx, payload, nil)
}

// run is Run with a value for $call.
func (f *Filter) run(ctx context.Context, payload []byte, call any) (values []json.RawMessage, err error) {
	defer func() { // whatever the library does with a strange program, the console goes on
		if p := recover(); p != nil {
			err = f.failed(fmt.Sprint(p))
		}
	}()
	input, err := decodeInput(payload)
	if err != nil {
		return nil, f.failed(err.Error())
	}
	args := append([]any(nil), f.args...)
	for i, r := range f.refs {
		if r == callVariable {
			args[i] = call
		}
	}
	limited, done := guarded(ctx)
	defer done()
	values, size := []json.RawMessage{}, 0
	for iter := f.code.RunWithContext(limited, input, args...); ; {
		v, ok := iter.Next()
		if !ok {
			return values, nil
		}
		if err, bad := v.(error); bad {
			return values, f.stopped(ctx, limited, err)
		}
		if tooDeep(v, filterDepth) {
			return values, f.failed(fmt.Sprintf("a value is nested more than %s deep", Count(filterDepth)))
		}
		text, err := gojq.Marshal(v)
		if err != nil {
			return values, f.failed(err.Error())
		}
		if size += len(text); size > filterBytes {
			return values, f.failed("it gives more than " + Bytes(filterBytes))
		}
		if len(values) == filterValues {
			return values, f.failed("it gives more than " + Count(filterValues) + " values")
		}
		values = append(values, text)
	}
}

// decodeInput reads JSON with its numbers as they stand; nothing at all is null.
func decodeInput(payload []byte) (v any, err error) {
	if len(bytes.TrimSpace(payload)) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	if err = d.Decode(&v); err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("more text after the value")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the input is not JSON: %w", err)
	}
	return v, nil
}

func tooDeep(v any, left int) bool {
	if left == 0 {
		return true
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if tooDeep(e, left-1) {
				return true
			}
		}
	case map[string]any:
		for _, e := range v {
			if tooDeep(e, left-1) {
				return true
			}
		}
	}
	return false
}

var (
	errFilterTime   = fmt.Errorf("it takes longer than %s", filterTime)
	errFilterMemory = fmt.Errorf("it takes more than %s of memory", Bytes(filterMemory))
)

// guarded is ctx with the limits of a filter. done ends the guard and waits for it.
func guarded(ctx context.Context) (limited context.Context, done func()) {
	limited, cancelTime := context.WithTimeoutCause(ctx, filterTime, errFilterTime)
	limited, cancel := context.WithCancelCause(limited)
	ended := make(chan struct{})
	go func() { // ends with the run, which waits for it
		defer close(ended)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for start := heap(); ; {
			select {
			case <-limited.Done():
				return
			case <-tick.C:
			}
			if heap() > start+filterMemory {
				cancel(errFilterMemory)
			}
		}
	}()
	return limited, func() {
		cancel(nil)
		cancelTime()
		<-ended
	}
}

// heap is how many bytes the objects of the process take.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// stopped is the error of a program that failed or was stopped.
func (f *Filter) stopped(ctx, limited context.Context, err error) error {
	halt, halted := errors.AsType[*gojq.HaltError](err)
	cause := context.Cause(limited)
	switch {
	case halted && halt.Value() == nil:
		return nil
	case ctx.Err() == nil && limited.Err() != nil:
		return f.failed(cause.Error())
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return f.failed("it takes too long")
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return f.failed(err.Error())
}

func (f *Filter) failed(why string) *Error {
	return &Error{Exit: ExitType, Message: "the filter " + glimpse([]byte(f.text), 60) + " failed: " + why}
}

// misfilter is the error of a program that is wrong at a byte.
func misfilter(text string, at int, message, hint string) *Error {
	return &Error{Exit: ExitUsage, Message: message, Hint: hint, Line: text, At: min(max(at, 0), len(text))}
}
