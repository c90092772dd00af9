//go:build race

package rpctest_test

const raceEnabled = true
