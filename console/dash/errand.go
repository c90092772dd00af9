package dash

// errand has one work at a time done beside the program. What is wanted meanwhile begins when that is back, and only the last of it: however fast things
// change, no more than one is out. Its zero value is ready.
type errand struct {
	out  bool
	next work
}

func (e *errand) send(s *scene, w work) {
	if e.out {
		e.next = w
		return
	}
	e.out = true
	s.later(func() func() {
		then := w()
		return func() {
			e.out = false
			if then != nil {
				then()
			}
			if next := e.next; next != nil {
				e.next = nil
				e.send(s, next)
			}
		}
	})
}
