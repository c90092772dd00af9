// Package sim plays many clients and servers on a simulated clock, to show what the balancer does at a size that no test machine has. The
// balancer, its ejection and the retry budget are the real ones of internal/balance; servers, network and callers are modelled.
//
// A server has a few workers and a queue. It may be slow, dead, failing, hanging, or flapping between dead and alive. A client makes calls
// at random instants, each to one of its members; a failed attempt is made again elsewhere after a back-off, three at most, as far as the
// budget goes. What ends a connection is known to its client at once; what merely hangs is not.
//
// A run depends on its Scenario alone: the same one gives the same numbers on every machine.
package sim
