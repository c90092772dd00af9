// Package etcd makes a server known to clients that look for it in etcd:
//
//	address, err := etcd.Address(listener.Addr(), "")
//	registration, err := etcd.Register(ctx, "demo", address, nil)
//	...
//	registration.Withdraw(ctx) // no client comes any more
//	server.Shutdown(ctx)       // those who are here finish
//
// A server is the key /rpckids/NAME/HOST:PORT under a lease: if its process dies,
// the key is gone when the lease is over. A lease that was lost, because etcd was
// away for longer than that or somebody revoked it, is taken anew. The value says
// to people who registered and when; clients do not read it (package
// rpcclient/etcd).
//
// Only programs that import this package compile any of etcd.
package etcd
