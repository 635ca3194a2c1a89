package detector

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/memberwatch/memberwatch"
)

// Tuned returns the configuration under a tuning. The error wraps ErrInvalid
// when it names a feature that there is not, or when the shares of the budget
// would sum to more than 1.
func (c Config) Tuned(t *memberwatch.Tuning) (Config, error) {
	if t.Configured {
		return c, nil
	}
	if t.Budget > 0 {
		c.Budget = t.Budget
	}
	c.Factors, c.Shadow = [Features]float64{}, slices.Clone(t.Shadow)
	for _, name := range slices.Sorted(maps.Keys(t.Weights)) {
		f := slices.Index(featureNames[:], name)
		if f < 0 {
			return c, notTunable("no feature is called %q; there are %s", name, strings.Join(featureNames[:], ", "))
		}
		c.Factors[f] = t.Weights[name]
	}
	if sum := c.spent(); sum > 1+1e-9 {
		return c, notTunable("the shares of the budget would sum to %.3g, and there is 1: lower other weights", sum)
	}
	return c, nil
}

func notTunable(format string, args ...any) error {
	return &memberwatch.ReasonError{Kind: memberwatch.ErrInvalid, Reason: "TUNING_INVALID", Message: fmt.Sprintf(format, args...)}
}

// Tuning returns the part of the configuration that a tuning replaces.
func (c *Config) Tuning() memberwatch.Tuning {
	t := memberwatch.Tuning{Budget: c.Budget, Shadow: slices.Clone(c.Shadow)}
	for f, factor := range c.Factors {
		if factor != 0 && factor != 1 {
			if t.Weights == nil {
				t.Weights = make(map[string]float64)
			}
			t.Weights[Feature(f).String()] = factor
		}
	}
	return t
}

// Shares returns the shares of the budget in force, for apps with acting users.
func (c *Config) Shares() []memberwatch.FeatureShare {
	shares := make([]memberwatch.FeatureShare, Features)
	for f := range Features {
		shares[f] = memberwatch.FeatureShare{
			Feature: f.String(), Hour: c.streamWeight(f, hourBurst, true), Day: c.streamWeight(f, dayBurst, true), Slow: c.streamWeight(f, daySlow, true),
		}
	}
	return shares
}

// spent is the sum of all shares of the budget, as if none overlapped.
func (c *Config) spent() float64 {
	sum := c.FirstSeen
	for f := range Features {
		w := c.Weights[f]
		sum += (w.Hour + w.Day + w.Slow) * c.multiplier(f)
	}
	return sum
}

// setting is a configuration with the event time from which windows that start
// are decided by it.
type setting struct {
	from    int64
	cfg     Config
	weights [entitySorts][streams][Features]float64 // what Config.part says
	alarms  []*alarms                               // beside each calibration; nil until one is asked for
}

func newSetting(from int64, cfg Config, calibrations int) *setting {
	x := &setting{from: from, cfg: cfg, alarms: make([]*alarms, calibrations)}
	for sort := range x.weights {
		for stream := range streams {
			for f := range Features {
				x.weights[sort][stream][f] = cfg.part(f, stream, sort&withActors != 0, sort&ofDeveloper != 0)
			}
		}
	}
	return x
}

// alarmsOf returns the alarms beside a calibration.
func (x *setting) alarmsOf(calibration int) *alarms {
	if x.alarms[calibration] == nil {
		x.alarms[calibration] = new(alarms)
	}
	return x.alarms[calibration]
}

// shadows tells whether findings of a kind raise nothing.
func (x *setting) shadows(kind memberwatch.Kind) bool { return slices.Contains(x.cfg.Shadow, kind) }

// settings are the settings in the order of the tunings; the first is as configured
// and stays.
type settings []*setting

// on returns what decides windows that start at an event time.
func (list settings) on(start int64) *setting {
	for i := len(list) - 1; i > 0; i-- {
		if list[i].from <= start {
			return list[i]
		}
	}
	return list[0]
}

// tuned adds a tuning. One that does not fit these models, because another release
// made it, leaves what there is. Settings that it hides for good go.
func (list settings) tuned(t *memberwatch.Tuning) settings {
	cfg, err := list[0].cfg.Tuned(t)
	if err != nil {
		cfg = list[len(list)-1].cfg
	}
	x := newSetting(t.From.UnixNano(), cfg, len(list[0].alarms))
	for last := len(list) - 1; last > 0 && list[last].from >= x.from; last-- {
		list = list[:last]
	}
	return append(list, x)
}

// keptSettings is how long a setting is kept once another took its place: far longer
// than windows stay open. What is later still is decided by the oldest one kept.
const keptSettings = 30 * 24 * int64(time.Hour)

// since drops the settings that another took the place of long before an event time.
func (list settings) since(t int64) settings {
	old := 1
	for old+1 < len(list) && list[old+1].from <= t-keptSettings {
		old++
	}
	if old > 1 {
		list = slices.Delete(list, 1, old)
		list[1].from = 0
	}
	return list
}

// Sorts of entities whose shares of the budget differ, as sums of these.
const (
	withActors  = 1 << iota // some event named an acting user
	ofDeveloper             // all apps of a developer together
	entitySorts
)

// sort is an entity's sort.
func (s *State) sort() int {
	sort := 0
	if s.actors {
		sort |= withActors
	}
	if s.joint() {
		sort |= ofDeveloper
	}
	return sort
}

// weight is the share of the budget that an entity's feature has in a stream.
func (x *setting) weight(s *State, f Feature, stream streamID) float64 {
	return x.weights[s.sort()][stream][f]
}

// weight is the share as configured, whatever the tuning.
func (e *Engine) weight(s *State, f Feature, stream streamID) float64 {
	return e.settings[0].weight(s, f, stream)
}

// tune adds a tuning.
func (e *Engine) tune(t *memberwatch.Tuning) { e.settings = e.settings.tuned(t).since(e.through) }

// on returns what decides windows that start at an event time.
func (e *Engine) on(start int64) *setting { return e.settings.on(start) }

// shadowed tells whether findings of a kind raise nothing.
func (e *Engine) shadowed(kind memberwatch.Kind, start int64) bool { return e.on(start).shadows(kind) }
