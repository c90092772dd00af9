// Package prom makes Prometheus metrics of what an rpckids client does.
//
//	m := prom.New(nil) // on the default registry
//	c, err := rpcclient.New("localhost:8888", &rpcclient.Config{Use: []rpcclient.Middleware{m.Middleware()}})
//	m.Collect(c)       // what the client says of itself and of its servers, read at each scrape
//
// One Metrics may watch several clients; the numbers of clients with the same
// target add up. What a client has counted stays in the totals when it is closed.
//
// Counted by the middleware, which sees a call once, whatever was tried for it:
//
//	rpckids_client_calls_total{method,pattern,code,kind}  calls, casts and streams that came to their end
//	rpckids_client_call_seconds{method,pattern}           histogram: how long they took, a stream with its consumer's work
//	rpckids_client_in_flight_calls{method,pattern}        that run now
//
// Read from the clients that Collect was called with, each with the label target:
//
//	rpckids_client_connections                      open to all servers
//	rpckids_client_servers                          in the list
//	rpckids_client_discovery_failing                1 while servers cannot be looked up and the last list is kept
//	rpckids_client_pending_calls                    wait for their replies now
//	rpckids_client_streams                          streams, uploads and bidis that run now
//	rpckids_client_{sent,received}_messages_total
//	rpckids_client_{sent,received}_bytes_total
//	rpckids_client_retries_total                    attempts after a call's first
//	rpckids_client_hedges_total                     calls sent to a second server because they took long
//	rpckids_client_reconnects_total
//	rpckids_client_repaired_lengths_total           lengths that had counted UTF-16 units
//	rpckids_client_dropped_replies_total{reason}    wrong, late, repeated or unasked
//
// and, with the label server, of each server of theirs:
//
//	rpckids_client_peer_state{state}                1 for the state that it is in, 0 for the others
//	rpckids_client_peer_connections
//	rpckids_client_peer_pending_calls
//	rpckids_client_peer_latency_seconds             moving average by which calls are balanced
//	rpckids_client_peer_calls_total                 attempts
//	rpckids_client_peer_failures_total
//	rpckids_client_peer_ejections_total
//
// The label code is a name such as "ok" or "not_found", and kind the words of the
// error's kind, as in "connection lost"; "none" for a call that went well. Histograms
// reach from 10 us to 10 s, and are native ones as well for a scraper that asks
// for that. A program that makes its method names up gets the first thousand; what
// comes then is counted under "!other".
package prom
