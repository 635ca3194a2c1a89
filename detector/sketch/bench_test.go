package sketch

import (
	"math/rand/v2"
	"testing"
)

// TestNoAllocations holds the hot path to its promise: nothing is allocated
// once an app's sketches have their size.
func TestNoAllocations(t *testing.T) {
	exact, dense := counted(0, 100), counted(0, 50_000)
	history, day := sampled(0, 100_000, 1), sampled(50_000, 100_000, 2)
	reused, buffer := counted(0, 1_000), make([]byte, 0, 1<<16)
	stored := encoded(t, dense)
	grown, known := counted(0, 100_000), counted(0, 120)
	next := uint64(1 << 20)
	for name, f := range map[string]func(){
		"insert known, exact":  func() { exact.Insert(next % 100); next++ },
		"insert new, dense":    func() { dense.Insert(next); next++ },
		"merge dense":          func() { dense.Merge(grown) },
		"merge exact":          func() { known.Merge(exact) },
		"reset and refill":     func() { reused.Reset(); reused.Merge(known); reused.Merge(grown) },
		"encode":               func() { buffer, _ = dense.AppendBinary(buffer[:0]) },
		"decode":               func() { _ = reused.UnmarshalBinary(stored) },
		"estimate":             func() { dense.Estimate(); dense.Interval() },
		"sample known and not": func() { history.Add(next%200_000, 2); next += 7 },
		"sample contains":      func() { history.Contains(next); history.FirstSeen(1); next++ },
		"sample overlap":       func() { history.Overlap(day) },
		"sample encode":        func() { buffer, _ = history.AppendBinary(buffer[:0]) },
	} {
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s: %g allocations", name, n)
		}
	}
}

// shuffled returns a long random order of the keys below n, from which the
// branch predictor learns nothing.
func shuffled(n uint64) *[1 << 16]uint64 {
	var order [1 << 16]uint64
	r := rand.New(rand.NewPCG(1, 2))
	for i := range order {
		order[i] = r.Uint64N(n)
	}
	return &order
}

func BenchmarkDistinctInsert(b *testing.B) {
	for name, keys := range map[string]uint64{"exact": 128, "dense 4k": 4_096, "dense 100k": 100_000} {
		b.Run(name+" re-seen", func(b *testing.B) {
			d := counted(0, keys)
			order, i := shuffled(keys), 0
			for b.Loop() {
				d.Insert(order[i%len(order)])
				i++
			}
		})
	}
	b.Run("new", func(b *testing.B) {
		var d Distinct
		h := uint64(0)
		for b.Loop() {
			d.Insert(h)
			h++
		}
	})
	b.Run("window of 2000", func(b *testing.B) { // one op is one key
		var d Distinct
		h := uint64(0)
		for b.Loop() {
			if h%2_000 == 0 {
				d.Reset()
			}
			d.Insert(h)
			h++
		}
	})
}

func BenchmarkDistinctMerge(b *testing.B) {
	for name, o := range map[string]*Distinct{
		"exact": counted(1<<32, 128), "dense changing": counted(1<<32, 50_000), "dense known": counted(0, 50_000),
	} {
		b.Run(name, func(b *testing.B) {
			from := counted(0, 50_000)
			var d Distinct
			for b.Loop() {
				d.CopyFrom(from)
				d.Merge(o)
			}
		})
	}
	b.Run("two exact", func(b *testing.B) {
		from, o := counted(0, 60), counted(30, 60)
		var d Distinct
		for b.Loop() {
			d.CopyFrom(from)
			d.Merge(o)
		}
	})
}

func BenchmarkDistinctEstimate(b *testing.B) {
	for name, keys := range map[string]uint64{"exact": 100, "129": 129, "4k": 4_096, "1m": 1_000_000} {
		b.Run(name, func(b *testing.B) {
			d := counted(0, keys)
			for b.Loop() {
				d.Estimate()
			}
		})
	}
}

func BenchmarkDistinctCodec(b *testing.B) {
	d := counted(0, 50_000)
	bytes := encoded(b, d)
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			bytes, _ = d.AppendBinary(bytes[:0])
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			_ = d.UnmarshalBinary(bytes)
		}
	})
}

func BenchmarkSample(b *testing.B) {
	for name, keys := range map[string]uint64{"100": 100, "4k": 4_096, "1m": 1_000_000} {
		b.Run("add re-seen "+name, func(b *testing.B) {
			s := sampled(0, keys, 1)
			order, i := shuffled(keys), 0
			for b.Loop() {
				s.Add(order[i%len(order)], 1)
				i++
			}
		})
	}
	b.Run("add new", func(b *testing.B) {
		var s Sample
		h := uint64(0)
		for b.Loop() {
			if h%4_096 == 0 {
				s.Reset()
			}
			s.Add(h, 1)
			h++
		}
	})
	s, o := sampled(0, 100_000, 1), sampled(50_000, 100_000, 1)
	var c Sample
	bytes := encoded(b, s)
	b.Run("merge", func(b *testing.B) {
		for b.Loop() {
			c.CopyFrom(s)
			c.Merge(o)
		}
	})
	b.Run("overlap", func(b *testing.B) {
		for b.Loop() {
			s.Overlap(o)
		}
	})
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			bytes, _ = s.AppendBinary(bytes[:0])
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			_ = c.UnmarshalBinary(bytes)
		}
	})
}
