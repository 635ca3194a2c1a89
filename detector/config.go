package detector

import "github.com/memberwatch/memberwatch"

// Model names the version of the models. It is stored with every signal and
// changes whenever the same events could give other results.
const Model = "2026.1"

// Config is what an operator may tune. The zero value is not useful; start from
// DefaultConfig.
type Config struct {
	// Budget is the number of app-days in which one false signal is accepted.
	// 1,400 is one false signal for 200 apps in a week.
	Budget float64
	// Weights splits the budget over features, scales and evidence streams. With
	// FirstSeen they sum to 1 (a union bound: averaging the streams drowns bursts,
	// docs/decisions/0004-one-budget.md).
	Weights [Features]Weight
	// Overlap multiplies the shares of features that tell how many people an app reads
	// about: they fire together and raise one signal, which a sum counts once for each
	// of them (docs/decisions/0067-shares-that-overlap.md).
	Overlap float64
	// FirstSeen is the part of the budget of calls from new places for new
	// things. It and the weights sum to 1.
	FirstSeen float64
	// Developers is the part of the whole budget that developers have who own
	// several apps. Weights and FirstSeen share the rest, which is the apps'. As there
	// are fewer such developers than apps, together they stay below the budget.
	Developers float64
	// Displacement is the part of the budget that volume has which comes back
	// elsewhere, in the 30 days after a restriction and for those only from whom it
	// takes something. It is apart and large: apps have these chances on hardly one
	// of fifty of their days.
	Displacement float64
	// ReadyDays is how many days of its own an app needs before its baseline
	// counts as READY.
	ReadyDays int32
	// FirstDays is how many days of its own an app needs before windows are
	// compared with them at all.
	FirstDays int32
	// DormantDays is how long an app must have been silent for its return to be
	// a finding of its own.
	DormantDays int32
	// DormantReach is how many distinct members a waking app may read in a day
	// before that: one or two pages.
	DormantReach float64
	// QuietHours ends a signal of the burst stream, QuietDays one of the slow
	// stream or of a rule.
	QuietHours, QuietDays int64
	// Factors multiply the weights of features; 0 stands for 1.
	Factors [Features]float64
	// Shadow lists kinds that are scored and stored and raise nothing.
	Shadow []memberwatch.Kind
}

// Weight is one feature's part of the budget in each evidence stream.
type Weight struct {
	Hour, Day, Slow float64
}

// DefaultConfig is the one default for everything. Features for each acting user, the
// distinct share and what they add up to hold two thirds of the budget because they tell a
// surge of users from a harvest; raw volume keeps a fifteenth because faked actors are seen
// by volume alone (evidence section 6). How the shares are split within that was measured on
// simulated platforms (docs/decisions/0067 to 0069). Two weeks make a baseline ready because
// each weekday has then been seen twice; three days are enough for a middle and a spread.
// 90 days of silence are the catalogue's (S11), one or two pages what a waking app's users
// may see before anybody speaks.
func DefaultConfig() Config {
	return Config{
		Budget: 1400,
		Weights: [Features]Weight{
			Reach:           {Hour: 0.030, Day: 0.020, Slow: 0.006},
			Records:         {Hour: 0.005, Day: 0.005, Slow: 0.004},
			Novelty:         {Day: 0.020, Slow: 0.006},
			Breadth:         {Hour: 0.010, Day: 0.015, Slow: 0.004},
			Misses:          {Hour: 0.025, Day: 0.030, Slow: 0.004},
			Denials:         {Day: 0.010, Slow: 0.002},
			Unattended:      {Day: 0.040, Slow: 0.010},
			ReachPerActor:   {Hour: 0.030, Day: 0.090, Slow: 0.149},
			RecordsPerActor: {Day: 0.010, Slow: 0.008},
			NoveltyPerActor: {Day: 0.118, Slow: 0.090},
			MissRatio:       {Day: 0.010, Slow: 0.004},
			DistinctShare:   {Day: 0.010, Slow: 0.015},
			Together:        {Day: 0.050, Slow: 0.080},
			ClassShift:      {Day: 0.030},
			Evenness:        {Day: 0.005, Slow: 0.015},
			Regularity:      {Day: 0.005, Slow: 0.005},
		},
		Overlap:      2,
		FirstSeen:    0.03,
		Developers:   0.05,
		Displacement: 0.50,
		ReadyDays:    14,
		FirstDays:    3,
		DormantDays:  90,
		DormantReach: 40,
		QuietHours:   24,
		QuietDays:    7,
	}
}

// streamWeight returns the share of the budget a feature has in one stream. An
// app whose events name no actor spends the per-actor share on the rest.
func (c *Config) streamWeight(f Feature, stream streamID, actors bool) float64 {
	w := c.Weights[f].of(stream) * c.multiplier(f)
	if f.overlaps(stream) {
		w *= c.Overlap
	}
	if actors {
		return w
	}
	if f.needsActors() {
		return 0
	}
	rest := 0.0
	for g := range Features {
		if !g.needsActors() {
			rest += c.Weights[g].Hour + c.Weights[g].Day + c.Weights[g].Slow
		}
	}
	return w * (1 - c.FirstSeen) / rest
}

// multiplier is by what a tuning multiplies the weights of a feature.
func (c *Config) multiplier(f Feature) float64 {
	if c.Factors[f] != 0 {
		return c.Factors[f]
	}
	return 1
}

// heeded are the features that have a share of the budget in each stream.
func (c *Config) heeded() (heeded [streams][]Feature) {
	for stream := range streams {
		for f := range Features {
			if c.Weights[f].of(stream) != 0 {
				heeded[stream] = append(heeded[stream], f)
			}
		}
	}
	return heeded
}

func (w Weight) of(stream streamID) float64 {
	switch stream {
	case hourBurst:
		return w.Hour
	case dayBurst:
		return w.Day
	default:
		return w.Slow
	}
}
