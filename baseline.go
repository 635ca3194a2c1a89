package memberwatch

// Baseline is what is normal for an app: what the models expect of it on one day,
// from its past.
type Baseline struct {
	App      AppID
	Learning Learning
	Days     int32         // of its own that it rests on
	Expected []Expectation // by feature, the day before the hour; none while there are too few days
}

// Expectation is what is expected of one feature in one window.
type Expectation struct {
	Feature string   // such as reach or records_per_actor, as in factors
	Window  Window   // the day, or the hour of it in which most records are expected
	Value   Estimate // the middle, and the central 95 %
}
