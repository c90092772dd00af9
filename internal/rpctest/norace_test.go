//go:build !race

package rpctest_test

const raceEnabled = false
