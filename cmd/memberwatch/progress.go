package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// progress draws a bar with rate and remaining time on a terminal. On anything
// else it stays silent: logs need no animation.
type progress struct {
	w       io.Writer // nil: silent
	total   int64     // what done reaches at the end; 0 when unknown
	noun    string    // what is counted, such as events
	began   time.Time
	drawn   time.Time
	columns int // of the line on the screen
}

// drawEvery is how often the bar may change.
const drawEvery = 100 * time.Millisecond

func newProgress(w io.Writer, total int64, noun string) *progress {
	if !isTerminal(w) {
		w = nil
	}
	return &progress{w: w, total: total, noun: noun, began: time.Now()}
}

// isTerminal tells whether a writer is a screen.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// show draws how far the work is: done of the total, with a count of things.
func (p *progress) show(done, count int64) {
	now := time.Now()
	if p.w == nil || now.Sub(p.drawn) < drawEvery {
		return
	}
	p.drawn = now
	p.draw(progressLine(done, p.total, count, p.noun, now.Sub(p.began)))
}

// steps draws how many of all steps are done.
func (p *progress) steps(done, all int) {
	p.total = int64(all)
	p.show(int64(done), int64(done))
}

// clear wipes the bar, so that other text may follow.
func (p *progress) clear() {
	if p.w != nil && p.columns > 0 {
		p.draw("")
		fmt.Fprint(p.w, "\r")
	}
}

func (p *progress) draw(line string) {
	n := len([]rune(line))
	fmt.Fprintf(p.w, "\r%s%s", line, strings.Repeat(" ", max(0, p.columns-n)))
	p.columns = n
}

// barWidth is how many columns the bar itself takes.
const barWidth = 30

func progressLine(done, total, count int64, noun string, elapsed time.Duration) string {
	rate := int64(float64(count) / max(elapsed.Seconds(), 0.001))
	line := fmt.Sprintf("%s %s, %s/s", number(count), noun, number(rate))
	if total <= 0 {
		return line
	}
	part := min(1, float64(done)/float64(total))
	full := int(part * barWidth)
	bar := strings.Repeat("█", full) + strings.Repeat("░", barWidth-full)
	left := "?"
	if part > 0 {
		left = time.Duration(float64(elapsed) * (1 - part) / part).Round(time.Second).String()
	}
	return fmt.Sprintf("%s %3.0f %%  %s, %s left", bar, 100*part, line, left)
}
