//go:build !unix

package rpcserver

import (
	"net"

	"github.com/rpckids/rpckids/internal/wire"
)

// socket cannot be tried without waiting on this system: connections use net.Conn alone, and a goroutine writes.
type socket struct{}

func newSocket(net.Conn, *wire.Decoder) *socket { return nil }

func (s *socket) read() (came []byte, err error)       { panic("no socket") }
func (s *socket) TryWrite(b []byte) (n int, err error) { panic("no socket") }
