package detector

import (
	"maps"
	"math"
	"slices"

	"github.com/memberwatch/memberwatch/detector/codec"
)

// Peers are the days of established apps by category, band of size and feature:
// what share of days like an app's lies below a value. They only illustrate; no
// evidence rests on them.
//
//	percentile(v) = (N(v' < v) + N(v' = v)/2)/N     by bins of a quarter of ln(v+1)
//
// The size is the number of acting users, because a band by what is compared would
// make every app ordinary. Assumption: apps of a category and of as many users
// have the same work. It lies for a category that is a mixture, and within a bin
// (28 %). Days fade as ranks do.
// Source: peers by category and size as in Purview and Exabeam, with the app's own
// past kept apart; bins and bands are ours.
type peers map[string]map[uint32]float64

// Bins of peers, and the bands of acting users: none known, below 4, 16 and 64, and
// more.
const (
	peerWidth = 0.25
	peerBins  = 64
	peerBands = 5
	minPeers  = 60   // days of a band before it says anything
	fewPeers  = 0.01 // days below which a faded place is empty
)

// peerBand is the band of a number of acting users.
func peerBand(actors float64) int {
	switch {
	case actors < 1:
		return 0
	case actors < 4:
		return 1
	case actors < 16:
		return 2
	case actors < 64:
		return 3
	default:
		return peerBands - 1
	}
}

func peerBin(v float64) int { return min(int(math.Log1p(max(v, 0))/peerWidth), peerBins-1) }

func peerPlace(band int, f Feature, bin int) uint32 {
	return uint32((band*int(Features)+int(f))*peerBins + bin)
}

// add counts a day of an established app.
func (p *peers) add(category string, x *values) {
	band := peerBand(x.actors)
	for f := range Features {
		if x.exposure(f) == 0 {
			continue
		}
		place := peerPlace(band, f, peerBin(x.v[f]))
		p.at(allCategories)[place]++
		if category != allCategories {
			p.at(category)[place]++
		}
	}
}

func (p *peers) at(category string) map[uint32]float64 {
	if *p == nil {
		*p = make(peers)
	}
	places, ok := (*p)[category]
	if !ok {
		places = make(map[uint32]float64)
		(*p)[category] = places
	}
	return places
}

// merge adds others' days, each worth weight.
func (p *peers) merge(o peers, weight float64) {
	for category, places := range o { // each place is summed on its own: the order does not matter
		mine := p.at(category)
		for place, n := range places {
			if n = float64(n * weight); n >= fewPeers {
				mine[place] += n
			}
		}
	}
}

// faded returns the days as they weigh after some more.
func (p peers) faded(by float64) peers {
	var f peers
	f.merge(p, by)
	return f
}

// Percentile tells which part of the days of apps of a category with about as many
// acting users lay below a value of a feature, and how many days that rests on.
// Where a category has too few of them all apps of the size are asked; ok is
// false if they are too few as well.
func (c *Calibration) Percentile(category string, actors float64, f Feature, v float64) (part, days float64, ok bool) {
	for _, name := range []string{category, allCategories} {
		if part, days = c.peers[name].below(peerBand(actors), f, v); days >= minPeers {
			return part, days, true
		}
	}
	return 0, 0, false
}

// ranking is one category's days, summed from the smallest value on.
type ranking [peerBands][Features]*[peerBins]float32

// rank sums the days up for look-up.
func (p peers) rank() map[string]*ranking {
	all := make(map[string]*ranking, len(p))
	for category, places := range p { // each category is summed on its own: the order does not matter
		r := new(ranking)
		for place, n := range places {
			band, f, bin := int(place)/peerBins/int(Features), int(place)/peerBins%int(Features), int(place)%peerBins
			if r[band][f] == nil {
				r[band][f] = new([peerBins]float32)
			}
			r[band][f][bin] = float32(n)
		}
		for band := range r {
			for _, row := range r[band] {
				for bin := 1; row != nil && bin < peerBins; bin++ {
					row[bin] += row[bin-1]
				}
			}
		}
		all[category] = r
	}
	return all
}

// below returns the part of the days below a value, its own bin by halves.
func (r *ranking) below(band int, f Feature, v float64) (part, days float64) {
	if r == nil || r[band][f] == nil {
		return 0, 0
	}
	row, bin := r[band][f], peerBin(v)
	days = float64(row[peerBins-1])
	under := 0.0
	if bin > 0 {
		under = float64(row[bin-1])
	}
	return (under + float64(row[bin])) / 2 / days, days
}

func (p peers) encode(e *codec.Encoder) {
	e.Uint(uint64(len(p)))
	for _, category := range slices.Sorted(maps.Keys(p)) {
		e.Text(category)
		e.Uint(uint64(len(p[category])))
		for _, place := range slices.Sorted(maps.Keys(p[category])) {
			e.Uint(uint64(place))
			e.F64(p[category][place])
		}
	}
}

func (p *peers) decode(d *codec.Decoder) {
	*p = nil
	for range d.Count(2) {
		places := p.at(d.Text())
		for range d.Count(9) {
			place, n := d.Uint(), d.F64()
			if place >= peerBands*uint64(Features)*peerBins || !(n > 0) {
				d.Fail("peers out of range")
				return
			}
			places[uint32(place)] = n
		}
	}
}
