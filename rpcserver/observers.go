package rpcserver

// Observers joins observers into one that tells each of them, in the order given. A nil one is passed over, and what nobody
// wants to hear stays nil, so that it costs nothing; with nobody at all the result is nil. The hooks are read now: one that is set
// later is not called.
func Observers(all ...*Observer) *Observer {
	var joined *Observer
	for _, o := range all {
		if o == nil {
			continue
		}
		if joined == nil {
			joined = new(Observer)
		}
		joined.Listening = both(joined.Listening, o.Listening)
		joined.ConnOpened = both(joined.ConnOpened, o.ConnOpened)
		joined.ConnClosed = both2(joined.ConnClosed, o.ConnClosed)
		joined.CallStarted = both(joined.CallStarted, o.CallStarted)
		joined.CallDone = both(joined.CallDone, o.CallDone)
		joined.Repaired = both(joined.Repaired, o.Repaired)
		joined.Panicked = both3(joined.Panicked, o.Panicked)
		joined.Refused = both2(joined.Refused, o.Refused)
	}
	return joined
}

// both returns a hook that calls one after the other. Either may be nil.
func both[A any](first, second func(A)) func(A) {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(a A) {
		first(a)
		second(a)
	}
}

func both2[A, B any](first, second func(A, B)) func(A, B) {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(a A, b B) {
		first(a, b)
		second(a, b)
	}
}

func both3[A, B, C any](first, second func(A, B, C)) func(A, B, C) {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(a A, b B, c C) {
		first(a, b, c)
		second(a, b, c)
	}
}

// CodeOf returns the code that a caller sees when a handler returns err; nil is OK. It is for middleware that notes how calls end. A
// reply that turns out to be too large fails later and is not seen there.
func CodeOf(err error) Code {
	if e := asError(err); e != nil {
		return e.Code
	}
	return OK
}
