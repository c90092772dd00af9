// Package balance decides which of several servers gets the next call, which of them is left alone for a while, and whether a call may be
// made once more.
//
// A Set holds the Members of one target. Pick chooses one by the policy; the caller tells the member when a call begins and how it ended,
// and from that the member reckons what the next call there would cost. A member that fails too often is ejected: it gets no calls for a
// time that grows, and returns through a probe that the owner makes.
//
// The package is pure arithmetic: it opens no sockets, starts no goroutines and reads no clock. Every instant is an argument: nanoseconds
// on a clock that only goes forward, whose zero is the caller's choice. So the same code runs under a client and under a simulation of
// thousands of them.
//
// Everything is safe for concurrent use. Pick, Begin and End take no lock unless a member fails, and never allocate.
package balance
