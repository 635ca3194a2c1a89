package diff

import (
	"math"
	"slices"
)

// medianRank returns the index of the sorted sample that, with its mirror image,
// bounds the median with 95 % confidence: the largest i for which a binomial of n
// and 1/2 is at most i with probability 2.5 %. With fewer than six samples it is
// the whole range, which is less.
//
// Source: David and Nagaraja 2003, "Order Statistics", 7.1.
func medianRank(n int) int {
	term := math.Pow(0.5, float64(n)) // of i successes
	sum, i := term, 0
	for sum <= 0.025 {
		i++
		term *= float64(n-i+1) / float64(i)
		sum += term
	}
	return max(i-1, 0)
}

// exactSamples bounds the samples on each side for which the distribution is
// counted out.
const exactSamples = 30

// rankSum returns the two-sided p-value of the test of Mann and Whitney that two
// samples come from one distribution: counted out for few samples without ties,
// else by the normal law with a correction for ties and continuity.
//
// Source: Mann and Whitney 1947, "On a test of whether one of two random
// variables is stochastically larger than the other".
func rankSum(a, b []float64) float64 {
	u, ties := 0.0, false
	for _, x := range a {
		for _, y := range b {
			switch {
			case x > y:
				u++
			case x == y:
				u += 0.5
				ties = true
			}
		}
	}
	n, m := len(a), len(b)
	u = min(u, float64(n*m)-u)
	if !ties && n <= exactSamples && m <= exactSamples {
		return exactP(n, m, int(u))
	}
	return normalP(a, b, u)
}

// exactP counts the orders of n and m samples in which U is at most u.
func exactP(n, m, u int) float64 {
	// ways[j][k]: orders of the i samples so far of one and j of the other with U
	// = k, by the last of them: f(i,j,k) = f(i-1,j,k-j) + f(i,j-1,k).
	ways := make([][]float64, m+1)
	for j := range ways {
		ways[j] = make([]float64, n*m+1)
		ways[j][0] = 1
	}
	for range n {
		next := make([][]float64, m+1)
		for j := range next {
			next[j] = make([]float64, n*m+1)
			for k := range next[j] {
				if k >= j {
					next[j][k] = ways[j][k-j]
				}
				if j > 0 {
					next[j][k] += next[j-1][k]
				}
			}
		}
		ways = next
	}
	all, tail := 0.0, 0.0
	for k, w := range ways[m] {
		all += w
		if k <= u {
			tail += w
		}
	}
	return min(2*tail/all, 1)
}

func normalP(a, b []float64, u float64) float64 {
	n, m := float64(len(a)), float64(len(b))
	pooled := slices.Sorted(slices.Values(slices.Concat(a, b)))
	correction := 0.0
	for i := 0; i < len(pooled); {
		j := i
		for j < len(pooled) && pooled[j] == pooled[i] {
			j++
		}
		t := float64(j - i)
		correction += t*t*t - t
		i = j
	}
	variance := n * m / 12 * (n + m + 1 - correction/((n+m)*(n+m-1)))
	if variance <= 0 {
		return 1
	}
	z := min(u-n*m/2+0.5, 0) / math.Sqrt(variance)
	return math.Erfc(-z / math.Sqrt2)
}
