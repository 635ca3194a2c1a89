package detector

import "math"

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
	sum := 0.0
	for i := range experts {
		if p.w[i] > 0 {
			sum += float64(p.w[i] * studentTail((x-p.mean[i])/p.sd[i]))
		}
	}
	return sum
}

// surprise is -log10 of the upper tail at a count v (half a unit is taken off
// counts so that the probability of v itself belongs to the tail).
func (p *prediction) surprise(v float64, ratio bool) float64 {
	if !ratio {
		v = max(v-0.5, 0)
	}
	return -math.Log10(max(p.tail(math.Log1p(v)), 1e-30))
}

// quantile solves tail(x) = q for x by bisection. The answer, in ln units, lies
// between -1 and 40, beyond any count.
func (p *prediction) quantile(q float64) float64 {
	lo, hi := -1.0, 40.0
	for range 26 { // 41/2^26 is far below one count in a million
		mid := (lo + hi) / 2
		if p.tail(mid) > q {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// expected returns the median and the central 95 % of the prediction as counts.
func (p *prediction) expected() (mid, low, high float64) {
	return p.median(), countOf(p.quantile(0.975)), countOf(p.quantile(0.025))
}

// median is that of the prediction as a count.
func (p *prediction) median() float64 { return countOf(p.quantile(0.5)) }

// countOf is the count at x in ln units.
func countOf(x float64) float64 { return max(math.Expm1(x), 0) }

// studentTail is P(T > z) for Student's t with 4 degrees of freedom:
// (1-u)^2 (2+u)/4 with u = z/sqrt(4+z^2); 1-u is written without cancellation.
func studentTail(z float64) float64 {
	if z < 0 {
		return 1 - studentTail(-z)
	}
	r := math.Sqrt(float64(z*z) + 4)
	oneMinusU := 4 / (r * (r + z))
	return oneMinusU * oneMinusU * (3 - oneMinusU) / 4
}

// center is the weighted mean prediction as a count.
func (p *prediction) center() float64 {
	sum := 0.0
	for i := range experts {
		sum += float64(p.w[i] * p.mean[i])
	}
	return math.Expm1(sum)
}
