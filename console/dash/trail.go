package dash

import (
	"strconv"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

const (
	trailKeep    = 200 // seconds; what is older has left the widest chart
	trailServers = 32  // more would be no chart
)

// trail is how many calls each server got in each of the last seconds. Its zero value is ready.
type trail struct {
	second int64 // the one that is being counted, since 1970
	taken  time.Time
	of     map[string]*track // by address
	scale  scale
}

// track is the trail of one server.
type track struct {
	total uint64 // calls when it was last looked at
	now   int    // of them, in the second that is being counted
	past  []int  // in the seconds before it, oldest first
}

// due says whether it is time to look at servers again: often enough that their calls come into the right second.
func (r *trail) due(now time.Time) bool { return now.Sub(r.taken) >= peersRest || now.Before(r.taken) }

// add counts the calls since the last look. Of a server that is new only what comes from now on counts.
func (r *trail) add(list []console.Peer, now time.Time) {
	if len(list) > trailServers {
		r.of = nil
		return
	}
	if now.Before(r.taken) || r.of == nil {
		r.of, r.second = map[string]*track{}, now.Unix()
	}
	r.taken = now
	passed := min(now.Unix()-r.second, trailKeep)
	r.second = now.Unix()
	kept := map[string]*track{}
	for i := range list {
		p := &list[i]
		k := r.of[p.Address]
		if k == nil || p.Calls < k.total {
			k = &track{total: p.Calls}
		}
		if passed > 0 {
			k.past = append(append(k.past, k.now), make([]int, passed-1)...)
			k.past = k.past[max(len(k.past)-trailKeep, 0):]
			k.now = 0
		}
		k.now += int(p.Calls - k.total)
		k.total = p.Calls
		kept[p.Address] = k
	}
	r.of = kept
}

// chart draws the calls of each server in h lines of w cells, one under the other on the same scale; nil where there is no room, or nothing to see.
func (r *trail) chart(t *theme.Theme, list []console.Peer, w, h int) []*line {
	rows := 0
	if len(list) > 1 {
		rows = min((h-1)/len(list), 5)
	}
	at := 1 + len(strconv.Itoa(list[len(list)-1].Number)) + 1
	if rows < 1 || w < at+20 {
		return nil
	}
	var all []int64
	for i := range list {
		if k := r.of[list[i].Address]; k != nil {
			for _, n := range k.past[max(len(k.past)-(w-at-1), 0):] {
				all = append(all, int64(n))
			}
		}
	}
	need := int64(0)
	for _, n := range all {
		need = max(need, n)
	}
	if need == 0 {
		return nil
	}
	r.scale.fit("calls", need, r.taken)
	head := (&line{}).put(&t.Muted, " calls, second by second")
	out := []*line{head.right(&t.Muted, "0 "+t.Mark.Range+" "+console.Count(int(r.scale.top))+"/s", w-1)}
	for i := range list {
		var pillars []pillar
		if k := r.of[list[i].Address]; k != nil {
			for _, n := range k.past {
				pillars = append(pillars, pillar{high: share(int64(n), r.scale.top)})
			}
		}
		for y, s := range sparkline(t, pillars, w-at-1, rows) {
			l := &line{}
			if y == rows-1 {
				l.right(&t.Muted, strconv.Itoa(list[i].Number), at-1)
			}
			l.until(&t.Text, at)
			l.b, l.w = append(l.b, s...), w-1
			out = append(out, l)
		}
	}
	return out
}
