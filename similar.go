package memberwatch

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// SimilarSignal is a past signal of the same kind as another, and what a review
// found about it.
type SimilarSignal struct {
	Signal        Signal
	SameApp       bool
	SameDeveloper bool
	// Likeness compares what the evidence is made of: the cosine of the two lists
	// of shares of the features, from 0 to 1, and 1 where a rule raised both.
	Likeness float64
	Verdict  Verdict
	Reason   string
	Comment  string
	Decided  time.Time
}

// NewSimilarSignal compares a past signal, which a case has judged, to another.
func NewSimilarSignal(to *Signal, past Signal, of *Case) SimilarSignal {
	return SimilarSignal{
		SameApp: to.App == past.App, SameDeveloper: to.Developer != "" && to.Developer == past.Developer, Likeness: likeness(to, &past),
		Signal: past, Verdict: of.Verdict, Reason: of.Reason, Comment: of.Comment, Decided: of.Decided,
	}
}

// likeness is the cosine between the shares of two signals' features.
func likeness(a, b *Signal) float64 {
	var product, lengthA, lengthB float64
	for i := range a.Strongest.Factors {
		x := &a.Strongest.Factors[i]
		lengthA += x.Share * x.Share
		for j := range b.Strongest.Factors {
			if y := &b.Strongest.Factors[j]; y.Feature == x.Feature {
				product += x.Share * y.Share
			}
		}
	}
	for j := range b.Strongest.Factors {
		lengthB += b.Strongest.Factors[j].Share * b.Strongest.Factors[j].Share
	}
	switch {
	case lengthA == 0 && lengthB == 0: // rules have no shares
		return 1
	case lengthA == 0 || lengthB == 0:
		return 0
	}
	return min(product/math.Sqrt(lengthA*lengthB), 1)
}

// SortSimilar puts those of the same app first, then those of the same developer,
// and orders each group by likeness and then by how new the verdict is.
func SortSimilar(list []SimilarSignal) {
	rank := func(s *SimilarSignal) int {
		switch {
		case s.SameApp:
			return 0
		case s.SameDeveloper:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(list, func(a, b SimilarSignal) int {
		return cmp.Or(rank(&a)-rank(&b), cmp.Compare(b.Likeness, a.Likeness), b.Decided.Compare(a.Decided))
	})
}
