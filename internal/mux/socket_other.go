//go:build !unix

package mux

import (
	"net"

	"github.com/rpckids/rpckids/internal/wire"
)

type socket struct{}

func newSocket(net.Conn, *wire.FrameDecoder) *socket { return nil }

func (*socket) read() (int, error) { return 0, nil }
