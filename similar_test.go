package memberwatch_test

import (
	"math"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

func TestSimilarSignalsAreRanked(t *testing.T) {
	signal := func(id memberwatch.SignalID, app memberwatch.AppID, developer memberwatch.DeveloperID, shares map[string]float64) memberwatch.Signal {
		s := memberwatch.Signal{ID: id, App: app, Developer: developer}
		for _, feature := range []string{"reach", "records", "groups"} {
			if shares[feature] > 0 {
				s.Strongest.Factors = append(s.Strongest.Factors, memberwatch.Factor{Feature: feature, Share: shares[feature]})
			}
		}
		return s
	}
	to := signal("asked", "quizfun", "acme", map[string]float64{"reach": 0.6, "records": 0.4})
	past := []struct {
		signal memberwatch.Signal
		like   float64
	}{
		{signal("mine, unlike", "quizfun", "acme", map[string]float64{"groups": 1}), 0},
		{signal("developer's", "quizmore", "acme", map[string]float64{"reach": 0.6, "records": 0.4}), 1},
		// 0.6 / sqrt(0.6^2 + 0.4^2)
		{signal("stranger's, partly", "crm", "other", map[string]float64{"reach": 1}), 0.83205},
		{signal("stranger's, a rule", "tv", "", nil), 0},
		{signal("mine, like", "quizfun", "acme", map[string]float64{"reach": 0.3, "records": 0.2}), 1},
	}
	var list []memberwatch.SimilarSignal
	for i, p := range past {
		s := memberwatch.NewSimilarSignal(&to, p.signal, &memberwatch.Case{Decided: time.Unix(int64(i), 0)})
		if math.Abs(s.Likeness-p.like) > 1e-5 {
			t.Errorf("%s: likeness %v, want %v", p.signal.ID, s.Likeness, p.like)
		}
		list = append(list, s)
	}
	memberwatch.SortSimilar(list)
	for i, want := range []memberwatch.SignalID{"mine, like", "mine, unlike", "developer's", "stranger's, partly", "stranger's, a rule"} {
		if list[i].Signal.ID != want {
			t.Errorf("place %d has %s, want %s", i, list[i].Signal.ID, want)
		}
	}
	rule := signal("rule", "x", "", nil)
	if s := memberwatch.NewSimilarSignal(&rule, signal("another", "y", "", nil), &memberwatch.Case{}); s.Likeness != 1 || s.SameDeveloper {
		t.Errorf("two rules of unknown developers: %+v", s)
	}
}
