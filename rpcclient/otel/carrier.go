package otel

import (
	"maps"
	"slices"
	"strings"

	"github.com/rpckids/rpckids/rpcclient"
)

// mostField is the longest value that is sent. A longer one stays behind: what
// somebody put into the trace must not fail a call whose metadata has no room left.
const mostField = 1 << 10

// carrier is metadata that a propagator writes.
type carrier rpcclient.Metadata

// Get returns what was set under a name, or "".
func (c carrier) Get(name string) string { return c[strings.ToLower(name)] }

// Set keeps a value that can be sent.
func (c carrier) Set(name, value string) {
	name = strings.ToLower(name)
	switch {
	case len(value) > mostField || !isName(name):
	case name == "traceparent" && !isTraceparent(value):
	default:
		c[name] = value
	}
}

// isTraceparent reports whether the wire has room for a traceparent, which it
// packs: 00-<32 hex>-<16 hex>-<2 hex>.
func isTraceparent(value string) bool {
	parts := strings.Split(value, "-")
	if len(parts) != 4 || len(parts[0]) != 2 || len(parts[1]) != 32 || len(parts[2]) != 16 || len(parts[3]) != 2 {
		return false
	}
	return strings.Trim(value, "0123456789abcdef-") == ""
}

// Keys returns the names that were set, in order.
func (c carrier) Keys() []string { return slices.Sorted(maps.Keys(c)) }

// isName reports whether metadata can have that name.
func isName(name string) bool {
	for _, r := range name {
		if ('a' > r || r > 'z') && ('0' > r || r > '9') && !strings.ContainsRune("-_.", r) {
			return false
		}
	}
	return 0 < len(name) && len(name) <= 64
}
