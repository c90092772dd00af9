package otel

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/rpckids/rpckids/rpcserver"
)

// mostField is the longest value that is read: what a caller sends must not fill the metadata of the calls that its handler makes.
const mostField = 1 << 10

// carrier gives a propagator what came with a call. It is read only.
type carrier struct {
	ctx  context.Context
	call *rpcserver.Call
	came rpcserver.Metadata // nil until asked for
}

// Get returns what the caller sent under a name, or "".
func (c *carrier) Get(name string) string {
	name = strings.ToLower(name)
	if name == "traceparent" {
		return c.call.Trace() // the one that version 1 has too
	}
	value := c.metadata()[name]
	if len(value) > mostField {
		return ""
	}
	return value
}

// Set is a propagator's for sending, which this one is not for.
func (c *carrier) Set(string, string) {}

// Keys returns the names that came, in order.
func (c *carrier) Keys() []string { return slices.Sorted(maps.Keys(c.metadata())) }

func (c *carrier) metadata() rpcserver.Metadata {
	if c.came == nil {
		c.came = rpcserver.MetadataOf(c.ctx)
	}
	return c.came
}
