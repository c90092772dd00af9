package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/rpckids/rpckids/rpcserver/etcd"
)

const helpCure = "rpckids-server --help lists the flags"

// explain says an error in one line for its cause and one for its cure.
func explain(err error) (code int, cause, cure string) {
	cause = err.Error()
	_, isUsage := errors.AsType[usageError](err)
	value, isValue := errors.AsType[*pflag.InvalidValueError](err)
	op, isOp := errors.AsType[*net.OpError](err)
	setup, isSetup := errors.AsType[*setupError](err)
	unregistered, isMember := errors.AsType[*etcd.Error](err)
	switch {
	case isMember:
		return explainMember(unregistered)
	case isSetup && isUsage:
		return exitUsage, setup.cause, setup.cure
	case isSetup:
		return exitError, setup.cause, setup.cure
	case isValue:
		return explainValue(value)
	case isUsage:
		return exitUsage, cause, helpCure
	case errors.Is(err, syscall.EADDRINUSE) && isOp:
		return exitError, fmt.Sprintf("%s is in use by another program", op.Addr), "stop that program, or take a free port with --addr localhost:0"
	case errors.Is(err, syscall.EACCES) && isOp:
		return exitError, fmt.Sprintf("may not listen on %s", op.Addr), "ports below 1024 are for the administrator: take another with --addr"
	case isOp:
		cause = "cannot listen: " + op.Err.Error()
	}
	return exitError, cause, addrCure
}

// explainValue says what a flag wants instead of what it got.
func explainValue(e *pflag.InvalidValueError) (code int, cause, cure string) {
	cause, cure = fmt.Sprintf("--%s is %q", e.GetFlag().Name, e.GetValue()), helpCure
	switch kind := e.GetFlag().Value.Type(); {
	case errors.Is(e, strconv.ErrRange):
		cause += ", which is out of range"
	case kind == "int":
		cause += ", want a whole number"
	case kind == "float64":
		cause += ", want a number"
	case kind == "bool":
		cause += ", want true or false"
	case kind == "duration":
		cause, cure = cause+", want a time", "times have a unit, as in 10s, 500ms or 1m30s"
	default:
		cause += ": " + printable(e.Unwrap().Error())
	}
	return exitUsage, cause, cure
}

const addrCure = "--addr names the host and port to listen on, as in localhost:8888; :8888 is every address of this machine"

// checkAddr finds out what no machine can listen on.
func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return &setupError{fmt.Sprintf("--addr is %q, want HOST:PORT", addr), addrCure}
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return &setupError{fmt.Sprintf("--addr is %q, and a port is a number up to 65535", addr), addrCure}
	}
	return nil
}
