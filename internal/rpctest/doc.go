// Package rpctest is for tests: a server and a client joined in memory, and the
// check that no goroutine is left behind. The in-memory network itself is in
// memnet, a scriptable version 1 peer in peer; both import nothing of ours, so
// that every package can use them.
package rpctest
