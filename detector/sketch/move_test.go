package sketch

import "testing"

func TestMoveBefore(t *testing.T) {
	var history, fresh Sample
	for k := range uint64(20_000) {
		history.Add(k, 1)
	}
	for k := range uint64(3_000) {
		fresh.Add(100_000+k, 10)
		fresh.Add(200_000+k, 20)
	}
	late := fresh.SeenBetween(20, 30)
	if early := fresh.SeenBetween(5, 20); early == 0 || early+late != fresh.Len() {
		t.Fatalf("SeenBetween splits %d keys into %d and %d", fresh.Len(), early, late)
	}
	before := history.Estimate()
	fresh.MoveBefore(20, &history)
	for name, s := range map[string]*Sample{"history": &history, "fresh": &fresh} {
		b, err := s.AppendBinary(nil)
		if err != nil || new(Sample).UnmarshalBinary(b) != nil {
			t.Errorf("%s does not round-trip after a move: %v", name, err)
		}
	}
	if got := history.Estimate(); got < before+2000 {
		t.Errorf("history has %.0f keys after the move, had %.0f", got, before)
	}
	if fresh.SeenBetween(5, 20) != 0 {
		t.Error("moved keys stayed")
	}
	if fresh.Rate() != history.Rate() {
		t.Errorf("fresh samples %g, history %g", fresh.Rate(), history.Rate())
	}
	if est := float64(fresh.Len()) / fresh.Rate(); est < 2400 || est > 3600 {
		t.Errorf("%.0f keys stayed, want about 3000", est)
	}
}

func TestMoveBeforeNarrowsTheTarget(t *testing.T) {
	var history, fresh Sample
	for k := range uint64(10) {
		history.Add(k, 1)
	}
	for k := range uint64(50_000) {
		fresh.Add(1000+k, 10)
	}
	fresh.MoveBefore(20, &history)
	if history.Rate() > 0.1 {
		t.Errorf("history claims to cover %g of all keys after a day that was sampled more thinly", history.Rate())
	}
}
