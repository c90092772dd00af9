package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/lab"
)

// mostServers is how many servers a demo may have: their rows still fit a screen.
const mostServers = 9

// labWord is the command that makes this program a server of a demo. People never type it.
const labWord = "serve-demo"

// labCommand serves the demo services until standard input ends, whose other end the demo holds.
func (p *program) labCommand() *cobra.Command {
	return &cobra.Command{
		Use:    labWord + " ADDR",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return lab.Serve(c.Context(), args[0], p.in, p.out)
		},
	}
}

// startLab starts n servers as processes. stop ends them and waits for them; however this program ends, they do.
func (p *program) startLab(ctx context.Context, n int) (d demoServers, err error) {
	exe, err := os.Executable()
	if err != nil {
		return d, &console.Error{Exit: console.ExitInternal, Message: "this program cannot be found to be started again: " + err.Error(), Cause: err}
	}
	l, err := lab.Start(ctx, n, exe, labWord)
	if err != nil {
		return d, err
	}
	p.lab = l
	return demoServers{strings.Join(l.Addresses(), ","), labTour(n), func() { _ = l.Close() }}, nil
}

// labTour shows where calls go when a server dies, comes back and gets slow.
func labTour(n int) *console.Tour {
	const load = "bench fib 20 -d 10m -c 4 --rate 200 --idempotent"
	return &console.Tour{
		Title:  "Several servers",
		Beside: console.BesidePeers,
		Steps: []console.Step{
			{
				Title:  "200 calls a second",
				Do:     load,
				Before: fmt.Sprintf("%d servers run as processes of their own. Keep them busy: each gets its share of the calls.", n),
				After:  "Calls spread over all of them. ctrl+c would end the calls.",
				Peers:  func(peers []console.Peer) bool { return calls(peers) >= 100 },
			},
			{
				Title:  "peer kill 2",
				Do:     "peer kill 2",
				Before: "Calls go on. Now end the second server, as kill -9 does.",
				After:  "It is down, and the others took over. No call failed.",
				Peers:  func(peers []console.Peer) bool { return isOut(peers, 2) },
			},
			{
				Title:  "peer start 2",
				Do:     "peer start 2",
				Before: "Start it again. Nobody has to tell the client.",
				After:  "It is up, and calls come back to it.",
				Peers:  func(peers []console.Peer) bool { return console.CountUp(peers) == len(peers) },
			},
			{
				Title:  "peer slow 2 200ms",
				Do:     "peer slow 2 200ms",
				Before: "A slow server is worse than a dead one, for those who wait in line. Watch the share of the second.",
				After:  "It gets a call now and then, to see whether it is still slow. Then try: peer slow 2 0, peer pause 2, peer fail 2 unavailable.",
				Peers:  func(peers []console.Peer) bool { return isSlow(peers, 2) },
			},
		},
	}
}

func calls(peers []console.Peer) (sum uint64) {
	for _, p := range peers {
		sum += p.Calls
	}
	return sum
}

// isOut says whether server n gets no calls.
func isOut(peers []console.Peer, n int) bool {
	return n <= len(peers) && !peers[n-1].Usable()
}

// isSlow says whether server n was made slow and lost calls by it.
func isSlow(peers []console.Peer, n int) bool {
	return n <= len(peers) && strings.HasPrefix(peers[n-1].Lab, "slow") && peers[n-1].Share < 0.1
}
