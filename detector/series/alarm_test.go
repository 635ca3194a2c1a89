package series

import "testing"

// TestAlarm: one alarm for a stretch, re-armed by 30 quiet values in a row.
func TestAlarm(t *testing.T) {
	a := Alarm{Threshold: 1}
	feed := func(score float64, times int) (alarms int) {
		for range times {
			if a.Next(score) {
				alarms++
			}
		}
		return alarms
	}
	for i, step := range []struct {
		score       float64
		times, want int
	}{{0.9, 5, 0}, {1, 10, 1}, {0, 29, 0}, {2, 1, 0}, {0, 30, 0}, {1.5, 3, 1}} {
		if got := feed(step.score, step.times); got != step.want {
			t.Errorf("step %d: %d alarms, want %d", i, got, step.want)
		}
	}
}
