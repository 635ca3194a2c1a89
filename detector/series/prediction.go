package series

import (
	"math"

	"github.com/memberwatch/memberwatch/detector/codec"
	"github.com/memberwatch/memberwatch/detector/tails"
)

// Prediction is what a series expects of one window: the mixture of its experts, as a
// distribution of x = ln(v+1). series.go has the model and its sources. One that is not
// OK answers nothing.
type Prediction struct {
	OK   bool // the series says anything
	mean [experts]float64
	sd   [experts]float64
	w    [experts]float64 // sum to 1; 0 for an expert with nothing to say
}

// Outlook is a prediction with what the series itself needs to learn from it.
type Outlook struct {
	Prediction
	floor [experts]float64 // of the squared scales
}

// Unanimous is the prediction of experts who all expect the same mean and standard
// deviation, in ln units.
func Unanimous(mean, sd float64) Prediction {
	p := Prediction{OK: true}
	for i := range experts {
		p.mean[i], p.sd[i], p.w[i] = mean, sd, 1.0/experts
	}
	return p
}

// tail is P(X > x) under the mixture.
func (p *Prediction) tail(x float64) float64 {
	tail, _ := p.fall(x)
	return tail
}

// fall is the tail at x and the density there, by which it falls.
func (p *Prediction) fall(x float64) (tail, density float64) {
	for i := range experts {
		if p.w[i] > 0 {
			t, d := tails.Student((x - p.mean[i]) / p.sd[i])
			tail += float64(p.w[i] * t)
			density += float64(p.w[i] * d / p.sd[i])
		}
	}
	return tail, density
}

// Surprise is -log10 of the upper tail at a value v, at most 30. Half a unit is taken off
// counts, not off ratios, so that the probability of v itself belongs to the tail.
func (p *Prediction) Surprise(v float64, ratio bool) float64 {
	if !ratio {
		v = max(v-0.5, 0)
	}
	return -math.Log10(max(p.tail(math.Log1p(v)), 1e-30))
}

// The answers of Quantile, in ln units: between -1 and 40, beyond any count, in steps
// far below one count in a million.
const (
	leastAnswer = -1.0
	answers     = 1 << 26
	answerStep  = 41.0 / answers
)

// Quantile solves P(X > x) = q for x, in ln units: the first answer with a tail of at most q. It lies
// between those of the experts alone. From their mean on, Newton's method finds it in a
// few steps; where it does not, bounds are halved.
func (p *Prediction) Quantile(q float64) float64 {
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

// Expected returns the median and the central 95 % of the prediction as counts.
func (p *Prediction) Expected() (mid, low, high float64) {
	return p.Median(), countOf(p.Quantile(0.975)), countOf(p.Quantile(0.025))
}

// Median is that of the prediction as a count.
func (p *Prediction) Median() float64 { return countOf(p.Quantile(0.5)) }

// countOf is the count at x in ln units.
func countOf(x float64) float64 { return max(math.Expm1(x), 0) }

// Center is the weighted mean prediction as a count.
func (p *Prediction) Center() float64 {
	sum := 0.0
	for i := range experts {
		sum += float64(p.w[i] * p.mean[i])
	}
	return math.Expm1(sum)
}

// Lift moves the prediction by a factor on the count.
func (p *Prediction) Lift(factor float64) {
	if factor == 1 {
		return
	}
	for i := range experts {
		p.mean[i] = math.Log1p(float64(factor * math.Expm1(p.mean[i])))
	}
}

// Shift moves the prediction by so many ln units.
func (p *Prediction) Shift(by float64) {
	for i := range experts {
		p.mean[i] += by
	}
}

// Encode writes the prediction.
func (p *Prediction) Encode(e *codec.Encoder) {
	e.Bool(p.OK)
	if !p.OK {
		return
	}
	for i := range experts {
		e.F64(p.mean[i])
		e.F64(p.sd[i])
		e.F64(p.w[i])
	}
}

// Decode reads what Encode wrote.
func (p *Prediction) Decode(d *codec.Decoder) {
	*p = Prediction{OK: d.Bool()}
	if !p.OK {
		return
	}
	for i := range experts {
		p.mean[i], p.sd[i], p.w[i] = d.F64(), d.F64(), d.F64()
	}
}
