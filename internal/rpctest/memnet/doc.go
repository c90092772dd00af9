// Package memnet is a network that exists only in memory: connections with a
// bounded buffer, half close and deadlines, and a listener to dial. Every wait
// in it is one that a testing/synctest bubble understands, so a test can let
// ten seconds of silence pass in no time at all. It imports no other package
// of the project.
package memnet
