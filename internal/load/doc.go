// Package load makes calls as fast as they are answered, or at an even pace, and measures how long they take. What a call is, the caller says.
//
//	l, err := load.New(load.Config{Duration: 10 * time.Second, Workers: 50}, call)
//	r := l.Run(ctx)
//	fmt.Println(r.Rate(), r.Latency.At(99))
//
// Without a rate the model is closed: each worker calls again when it was answered, so a server that stalls is asked less, and the time of those who would have
// asked does not count. With a rate it is open: call n is due at n/rate whatever became of those before. Where all workers are busy it waits, the schedule does not
// move, and the corrected latency, from the moment when it was due, tells what a user would have felt.
package load
