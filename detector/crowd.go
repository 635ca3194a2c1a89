package detector

// crowd counts, for one open window of the partition, the apps that are in it
// and those of them that have crossed a critical value. When many do at once the
// whole population is moving, and only the fleet's judgement of the closed
// window can say who did more than the others: a storm of provisional signals
// would help nobody. Who goes far beyond it in a crowd speaks all the same: a
// harvest must not hide behind the news.
type crowd struct {
	apps, fired int
}

// A crowd is silent once more than crowdFew apps and crowdPart of all have
// fired. Both are ours: at the default budget a partition of 250 apps has about one
// false alarm a week, so more than three in one hour are no chance, and a twentieth
// is the level at which the fleet's factor counts (commonP).
const (
	crowdFew  = 3
	crowdPart = 0.05
	crowdOut  = 10.0 // times the critical value, which lies above all that is usual
)

// join counts an app's window; after a restart it may have fired before.
func (e *Engine) join(w *window) {
	c, ok := e.crowds[w.Window]
	if !ok {
		c = new(crowd)
		e.crowds[w.Window] = c
	}
	c.apps++
	if w.fired|w.hushed != 0 {
		c.fired++
	}
}

// crossing counts an open window that has crossed something, once, and returns its crowd.
func (e *Engine) crossing(w *window) *crowd {
	c := e.crowds[w.Window]
	if w.fired|w.hushed == 0 {
		c.fired++
	}
	return c
}

// silent tells whether too many apps have fired for one more to mean anything.
func (c *crowd) silent() bool {
	return c.fired > crowdFew && float64(c.fired) > crowdPart*float64(c.apps)
}
