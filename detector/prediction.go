package detector

import (
	"math"

	"github.com/memberwatch/memberwatch/detector/tails"
)

// What a series expects of one window: the mixture of its experts, as a distribution
// of counts. series.go has the model and its sources.

// outlook is a prediction with what the series itself needs to learn from it.
type outlook struct {
	prediction
	floor [experts]float64 // of the squared scales
}

// outlooks are what the series of hours expect of one window, as far as somebody has
// asked. Days are learnt after exclusions, which may change what is expected.
type outlooks struct {
	known uint32 // set of features
	all   [Features]outlook
	mid   [Features]float64 // see series.center
}

// put keeps an expectation and its center; nil keeps nothing.
func (o *outlooks) put(stream streamID, f Feature, p *outlook, mid float64) {
	if o != nil && stream == hourBurst {
		o.known |= 1 << f
		o.all[f], o.mid[f] = *p, mid
	}
}

// of returns an expectation that was put, or nil.
func (o *outlooks) of(stream streamID, f Feature) *outlook {
	if o == nil || stream != hourBurst || o.known&(1<<f) == 0 {
		return nil
	}
	return &o.all[f]
}

// prediction is what a series expects of one window.
type prediction struct {
	ok   bool
	mean [experts]float64
	sd   [experts]float64
	w    [experts]float64 // sum to 1; 0 for an expert with nothing to say
}

// tail is P(X > x) under the mixture.
func (p *prediction) tail(x float64) float64 {
	tail, _ := p.fall(x)
	return tail
}

// fall is the tail at x and the density there, by which it falls.
func (p *prediction) fall(x float64) (tail, density float64) {
	for i := range experts {
		if p.w[i] > 0 {
			t, d := tails.Student((x - p.mean[i]) / p.sd[i])
			tail += float64(p.w[i] * t)
			density += float64(p.w[i] * d / p.sd[i])
		}
	}
	return tail, density
}

// surprise is -log10 of the upper tail at a count v (half a unit is taken off
// counts so that the probability of v itself belongs to the tail).
func (p *prediction) surprise(v float64, ratio bool) float64 {
	if !ratio {
		v = max(v-0.5, 0)
	}
	return -math.Log10(max(p.tail(math.Log1p(v)), 1e-30))
}

// The answers of quantile, in ln units: between -1 and 40, beyond any count, in steps
// far below one count in a million.
const (
	leastAnswer = -1.0
	answers     = 1 << 26
	answerStep  = 41.0 / answers
)

// quantile solves tail(x) = q for x: the first answer with a tail of at most q. It lies
// between those of the experts alone. From their mean on, Newton's method finds it in a
// few steps; where it does not, bounds are halved.
func (p *prediction) quantile(q float64) float64 {
	t, x, first, last := tails.StudentQuantile(q), 0.0, math.Inf(1), math.Inf(-1)
	for i := range experts {
		if p.w[i] > 0 {
			own := p.mean[i] + float64(p.sd[i]*t)
			x += float64(p.w[i] * own)
			first, last = min(first, own), max(last, own)
		}
	}
	lo, hi := max(answerBefore(first)-1, 0), min(answerBefore(last)+2, answers) // more, for rounding
	for i := 1; hi-lo > 1; i++ {
		n := min(max(answerBefore(x), lo+1), hi-1)
		if i > newtons {
			n = (lo + hi) / 2
		}
		x = answerAt(n)
		tail, density := p.fall(x)
		if tail > q {
			lo = n
		} else {
			hi = n
		}
		x += (tail - q) / density
	}
	return answerAt(hi)
}

// newtons is how many steps Newton's method is given.
const newtons = 8

func answerAt(n int) float64 { return leastAnswer + answerStep*float64(n) } // exact

// answerBefore is the number of the last answer that is not above x.
func answerBefore(x float64) int {
	return int(min(max((x-leastAnswer)*(1/answerStep), 0), answers))
}

// expected returns the median and the central 95 % of the prediction as counts.
func (p *prediction) expected() (mid, low, high float64) {
	return p.median(), countOf(p.quantile(0.975)), countOf(p.quantile(0.025))
}

// median is that of the prediction as a count.
func (p *prediction) median() float64 { return countOf(p.quantile(0.5)) }

// countOf is the count at x in ln units.
func countOf(x float64) float64 { return max(math.Expm1(x), 0) }

// center is the weighted mean prediction as a count.
func (p *prediction) center() float64 {
	sum := 0.0
	for i := range experts {
		sum += float64(p.w[i] * p.mean[i])
	}
	return math.Expm1(sum)
}
