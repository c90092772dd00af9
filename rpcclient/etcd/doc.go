// Package etcd lets clients find their servers in etcd:
//
//	client, err := rpcclient.Dial(ctx, "etcd:///demo", &rpcclient.Config{
//		Resolvers: map[string]rpcclient.Resolver{"etcd": etcd.New(nil)},
//	})
//
// The servers of NAME are the keys /rpckids/NAME/HOST:PORT, which servers put there
// under a lease (package rpcserver/etcd) so that those who die vanish. The values
// are for people: nothing reads them. Whoever may write below /rpckids/ in etcd
// says where clients connect to; who the servers are is shown by TLS, not by etcd.
//
// Only programs that import this package compile any of etcd.
package etcd
