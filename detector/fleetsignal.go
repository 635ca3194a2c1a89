package detector

import (
	"slices"

	"github.com/memberwatch/memberwatch"
)

// What only the whole fleet can see becomes a signal of the fleet: the population
// that moved at once, a cohort of new apps, apps that act together, what came to one
// network. It is no app's and no developer's. The fleet counts as one more entity
// beside the apps: in as many of its days as Config.Budget has app-days it may raise
// one false signal, which is next to nothing beside what all apps together may. Its
// three statistics share that by thirds; a moved population is a fact and accuses
// nobody.

// fleetWeight is the part of the fleet's budget that cohorts, coordination and
// networks have each.
const fleetWeight = 1.0 / 3

// MostNamed is how many apps a signal about several of them names.
const MostNamed = 100

// ground makes the finding that follows from grounds, with their record.
func (f *Fleet) ground(g grounds) memberwatch.Finding {
	basis := memberwatch.Basis{Model: Model, Calibration: int64(f.through), Control: f.control}
	return recorded(g, conclude(g, f.cfg.Budget), basis, f.cfg.Budget)
}

// raise adds a finding to the fleet's open signal of its kind, or opens one. dim
// tells the signals of a kind apart, apps are those to be named.
func (f *Fleet) raise(dim string, found memberwatch.Finding, apps []memberwatch.AppID) {
	shadow := f.tunings.on(found.Window.Start).shadows(found.Kind)
	if was := f.episode(found.Kind, dim, !shadow); was >= 0 {
		f.end(was)
	}
	at := f.episode(found.Kind, dim, shadow)
	if at >= 0 && found.Time >= f.episodes[at].quietAfter(&f.cfg) {
		f.end(at)
		at = -1
	}
	if at < 0 {
		at = len(f.episodes)
		f.episodes = append(f.episodes, fleetEpisode(dim, &found, shadow))
	}
	ep := &f.episodes[at]
	ep.add(&found)
	sig := &ep.Signal
	sig.Revision++
	sig.Severity = max(sig.Severity, found.Severity)
	sig.Sentence = sig.Strongest.Sentence
	sig.Model, sig.Calibration, sig.Control = Model, int64(f.through), f.control
	sig.Apps = named(sig.Apps, apps)
	f.updates = append(f.updates, memberwatch.Update{Signal: *sig, Finding: &found})
}

// episode is the place of the fleet's open signal of a kind, in shadow or not; -1:
// there is none.
func (f *Fleet) episode(kind memberwatch.Kind, dim string, shadow bool) int {
	return slices.IndexFunc(f.episodes, func(ep episode) bool {
		return ep.Signal.Kind == kind && ep.Dim == dim && ep.Signal.Shadow == shadow
	})
}

// fleetEpisode opens a signal of the fleet.
func fleetEpisode(dim string, found *memberwatch.Finding, shadow bool) episode {
	ep := episode{Dim: dim, Signal: memberwatch.Signal{
		ID: signalID("", found.Kind, aboutOf(dim, shadow), found.Window), Kind: found.Kind, Opened: found.Time, Shadow: shadow,
	}}
	if found.Kind == memberwatch.KindNetwork {
		ep.Signal.Network = dim
	}
	return ep
}

// named adds apps to those a signal names, in order. The list is a new one: who
// has an earlier update keeps it as it was.
func named(known, more []memberwatch.AppID) []memberwatch.AppID {
	all := slices.Concat(known, more)
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.Clip(all[:min(len(all), MostNamed)])
}

// end closes an episode of the fleet and says so.
func (f *Fleet) end(at int) {
	sig := &f.episodes[at].Signal
	sig.Ended = max(sig.Last, 1)
	sig.Revision++
	f.updates = append(f.updates, memberwatch.Update{Signal: *sig})
	f.episodes = slices.Delete(f.episodes, at, at+1)
}

// endQuiet ends the signals that have been quiet for long enough at an event
// time.
func (f *Fleet) endQuiet(now int64) {
	for i := len(f.episodes) - 1; i >= 0; i-- {
		if now >= f.episodes[i].quietAfter(&f.cfg) {
			f.end(i)
		}
	}
}

// TakeUpdates returns the changes of the fleet's signals since the last call, in
// the order in which they came about.
func (f *Fleet) TakeUpdates() []memberwatch.Update {
	updates := f.updates
	f.updates = nil
	return updates
}
