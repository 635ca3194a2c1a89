package monitor

import (
	"fmt"

	"github.com/memberwatch/memberwatch/store"
)

// advance closes what lies behind the watermark: the slowest live producer's
// newest event time less the lateness, cut to the hour. The watermark never
// falls. A live producer that has sent nothing yet holds it where it is.
func (p *partition) advance() {
	const none = int64(1<<63 - 1)
	slowest := none
	for i := range p.marks {
		if at := &p.marks[i]; at.live {
			slowest = min(slowest, at.newest)
		}
	}
	if slowest == none || slowest == 0 {
		return
	}
	if watermark := hourOf(slowest - int64(p.m.options.Lateness)); watermark > p.progress.Closed {
		p.closeThrough(watermark)
	}
}

// closeThrough closes the open windows that are over at the watermark, in the
// order of their ends. Before each end it takes the fleet's word on all that
// was closed before: what an app's baseline knows when a window closes is thus
// a matter of event time, not of how fast the fleet answered.
func (p *partition) closeThrough(watermark int64) {
	for {
		if !p.judge() {
			return
		}
		w, _, ok := p.engine.NextDue(watermark)
		if !ok {
			break
		}
		end := w.End()
		p.closeEnding(end)
		p.closed(end)
	}
	if p.progress.Closed < watermark {
		p.closed(watermark)
	}
}

// closeEnding closes all windows with this end: the hour, then the day.
func (p *partition) closeEnding(end int64) {
	for {
		w, apps, ok := p.engine.NextDue(end)
		if !ok {
			return
		}
		p.closing = p.closing[:0]
		for _, app := range apps {
			if r := p.resident(app); r != nil {
				p.dirty(r) // from here on it cannot leave memory
				p.closing = append(p.closing, r.state)
			}
		}
		p.engine.CloseAll(p.closing, w)
		clear(p.closing)
		for _, d := range p.engine.DevelopersDue(w) {
			r := p.developer(d)
			p.engine.CloseDeveloper(r.state, w)
			p.dirty(r)
		}
		tally := p.engine.EndWindow(w)
		if tally == nil {
			continue
		}
		value, err := tally.AppendBinary(nil)
		if err != nil {
			panic(fmt.Sprintf("bug: tally of window %v does not encode: %v", w, err))
		}
		p.changes.tallies = append(p.changes.tallies, store.Tally{Window: w, Value: value})
		p.m.fleet.tally(p.index, tally)
	}
}

// closed notes and reports how far the partition has closed its windows.
func (p *partition) closed(through int64) {
	p.progress.Closed = through
	p.changes.any, p.changes.whole = true, true // the journal does not tell of the fleet
	p.stats.watermark.Store(through)
	p.m.fleet.closed(p.index, through)
}

// judge waits until the fleet has judged all that this partition has closed,
// and applies its rulings up to there. It returns false when the owner must
// stop.
func (p *partition) judge() bool {
	for {
		rulings, judged, durable := p.inbox.take()
		p.rulings = append(p.rulings, rulings...)
		p.judged = durable
		if judged >= p.progress.Closed {
			break
		}
		select {
		case <-p.inbox.wake:
		case <-p.stop:
			return false
		}
	}
	n := 0
	for n < len(p.rulings) && p.rulings[n].end <= p.progress.Closed {
		p.obey(&p.rulings[n])
		n++
	}
	p.rulings = append(p.rulings[:0], p.rulings[n:]...)
	p.progress.Judged = p.progress.Closed
	return true
}

// obey takes one ruling: a judgement for the apps that wait for it, or a new
// calibration.
func (p *partition) obey(r *ruling) {
	if r.calibration != nil {
		p.engine.SetCalibration(r.calibration)
		return
	}
	w := r.judgement.Window
	for _, app := range p.engine.Pending(w) {
		if resident := p.resident(app); resident != nil {
			p.engine.Judge(resident.state, r.judgement)
			p.dirty(resident)
		}
	}
	p.engine.EndJudgement(w)
}
