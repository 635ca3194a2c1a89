package codec

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// all holds one of everything that is written.
type all struct {
	Uint, U64 uint64
	Int       int64
	I16       int16
	F32       float32
	F64       float64
	Floats    [3]float32
	Sparse    []float64
	Bool      bool
	Text      string
	Raw       [2]byte
	Inner     *all
}

const version = 7

func (a *all) AppendBinary(b []byte) ([]byte, error) {
	e := NewEncoder(b, version)
	e.Uint(a.Uint)
	e.U64(a.U64)
	e.Int(a.Int)
	e.I16(a.I16)
	e.F32(a.F32)
	e.F64(a.F64)
	e.Floats(a.Floats[:])
	e.Sparse(a.Sparse)
	e.Text(a.Text)
	e.Raw(a.Raw[:])
	e.Bool(a.Inner != nil)
	if a.Inner != nil {
		e.Nested(a.Inner)
	}
	if a.Bool {
		e.Fail(errRefused)
	}
	e.Bool(a.Bool)
	return e.Finish()
}

var errRefused = errors.New("refused")

func (a *all) UnmarshalBinary(b []byte) error {
	d := NewDecoder(b, version, "all")
	*a = all{Uint: d.Uint(), U64: d.U64(), Int: d.Int(), I16: d.I16(), F32: d.F32(), F64: d.F64()}
	d.Floats(a.Floats[:])
	a.Sparse = d.Sparse(5)
	a.Text = d.Text()
	copy(a.Raw[:], d.Take(2))
	if d.Bool() {
		a.Inner = new(all)
		d.Nested(a.Inner)
	}
	a.Bool = d.Bool()
	return d.Finish()
}

func draw(t *rapid.T, depth int) *all {
	a := &all{
		Uint: rapid.Uint64().Draw(t, "uint"), U64: rapid.Uint64().Draw(t, "u64"), Int: rapid.Int64().Draw(t, "int"), I16: rapid.Int16().Draw(t, "i16"),
		F32: rapid.Float32().Draw(t, "f32"), F64: rapid.Float64().Draw(t, "f64"), Text: rapid.String().Draw(t, "text"), Raw: [2]byte{1, 255},
	}
	for i := range a.Floats {
		a.Floats[i] = rapid.Float32().Draw(t, "floats")
	}
	for range 5 {
		a.Sparse = append(a.Sparse, rapid.SampledFrom([]float64{0, 0, 1.5, -3}).Draw(t, "sparse"))
	}
	if depth > 0 {
		a.Inner = draw(t, depth-1)
	}
	return a
}

// TestWhatIsWrittenReadsBack, behind other bytes too, and no flipped bit passes.
func TestWhatIsWrittenReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := draw(t, rapid.IntRange(0, 2).Draw(t, "depth"))
		b, err := a.AppendBinary([]byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		b = b[len("before"):]
		var got all
		if err := got.UnmarshalBinary(b); err != nil || !reflect.DeepEqual(a, &got) {
			t.Fatalf("%+v reads back as %+v, %v", a, got, err)
		}
		b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if err := got.UnmarshalBinary(b); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("a flipped bit: %v", err)
		}
	})
}

// TestFirstErrorCounts: that of a nested value is returned, whatever came later.
func TestFirstErrorCounts(t *testing.T) {
	a := all{Sparse: make([]float64, 5), Inner: &all{Bool: true, Sparse: make([]float64, 5)}}
	if _, err := a.AppendBinary(nil); !errors.Is(err, errRefused) {
		t.Errorf("error %v, want that of the nested value", err)
	}
}

// FuzzDecoder reads bytes of any kind as anything: whole under a right checksum, they
// are refused or read, and no float is out of bounds.
func FuzzDecoder(f *testing.F) {
	b, err := (&all{Sparse: make([]float64, 5), Text: "text", Inner: &all{Sparse: []float64{1, 0, 0, 0, 2}}}).AppendBinary(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[1 : len(b)-4])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, body []byte) {
		e := NewEncoder(nil, version)
		e.Raw(body)
		b, err := e.Finish()
		if err != nil {
			t.Fatal(err)
		}
		var a all
		err = a.UnmarshalBinary(b)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("error %v is not ErrCorrupt", err)
		}
		if math.IsNaN(a.F64) || math.IsInf(a.F64, 0) || a.F32 != a.F32 {
			t.Errorf("read %v and %v", a.F64, a.F32)
		}
	})
}
