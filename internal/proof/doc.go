// Package proof holds tests alone: servers as real processes on loopback, a client before them, and what is done to the servers while calls run.
// Each test prints its figures as
//
//	name value limit PASS|FAIL
//
// and fails with the first FAIL. See them all: go test ./internal/proof -v
package proof
