// Package prom makes Prometheus metrics of what an rpckids server does.
//
//	m := prom.New(nil) // on the default registry
//	pages := http.NewServeMux()
//	pages.Handle("/metrics", m.Handler())
//	s := rpcserver.New(&rpcserver.Config{Observer: m.Observer(), HTTP: pages})
//	m.Collect(s) // what is read at each scrape
//
// Whoever has an observer of his own joins both with [rpcserver.Observers]. One Metrics may watch several servers; their
// numbers add up. To keep them apart, make a Metrics for each with prometheus.WrapRegistererWith.
//
// Told by the observer, call for call:
//
//	rpckids_server_calls_total{method,pattern,protocol,code}  calls that came to their end, refused ones and casts as well
//	rpckids_server_handler_seconds{method,pattern}            histogram: from the handler's start to the answer
//	rpckids_server_queue_seconds                              histogram: from a call's arrival to its handler; streams do not queue
//	rpckids_server_running_calls{method,pattern}              handlers that run now, streams included
//	rpckids_server_received_bytes_total{method,pattern}       of messages; on version 2 of metadata, requests and items
//	rpckids_server_sent_bytes_total{method,pattern}           of the payloads of replies and items
//	rpckids_server_received_items_total{method,pattern}       taken by uploads and bidis
//	rpckids_server_sent_items_total{method,pattern}           given by streams and bidis
//	rpckids_server_panics_total{method}                       handlers that panicked; "!http" is the Config's, "!auth" its Authenticator
//	rpckids_server_connections_opened_total
//	rpckids_server_connections_closed_total{reason}           by rpcserver.Reason, or the rule of version 2 that the peer broke
//	rpckids_server_refusals_total{reason}                     by the limit that was met: the constants rpcserver.RefusedConns and so on
//	rpckids_server_repaired_lengths_total                     lengths that had counted UTF-16 units
//
// Read from the servers that Collect was called with:
//
//	rpckids_server_connections{protocol}                      open now; none: they have not said yet what they speak
//	rpckids_server_in_flight_calls                            calls and streams that wait or run now
//	rpckids_server_in_flight_limit                            how many there may be now
//	rpckids_server_queued_calls                               wait for a worker now
//	rpckids_server_busy_workers                               run a handler now
//	rpckids_server_streams                                    streams, uploads and bidis that run now
//	rpckids_server_abandoned_calls_total                      given up by their callers before they were answered
//	rpckids_server_network_{received,sent}_bytes_total        on all connections; of TLS, what is inside
//
// The label method is the name of a service that the server has; whatever else peers ask for, and what was refused before it was looked at, is counted
// under "!unknown", with the pattern "unknown". The label code is a name such as "ok" or "not_found". Histograms reach from 10 us to 10 s, and are native ones as well for a
// scraper that asks for that.
//
// What one asks first: how long calls take, what fails, and what is refused.
//
//	histogram_quantile(0.99, sum by (le, method) (rate(rpckids_server_handler_seconds_bucket[5m])))
//	sum by (method, code) (rate(rpckids_server_calls_total{code!="ok"}[5m]))
//	sum by (reason) (rate(rpckids_server_refusals_total[5m]))
//
// A call costs a few hundred nanoseconds and, after the first of its service, no allocation.
package prom
