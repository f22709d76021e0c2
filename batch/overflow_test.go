//go:build !race

package batch

import (
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
)

// A column of more than 2 GiB would need offsets that Arrow's strings do not have. The race detector would touch all of it.
func TestColumnOverflow(t *testing.T) {
	b, err := NewBuilder(arrow.NewSchema([]arrow.Field{{Name: "s", Type: arrow.BinaryTypes.String}}, nil), BuilderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := b.Col(0)
	c.data = make([]byte, math.MaxInt32-1, math.MaxInt32+10) // never touched, so no memory
	for _, want := range []string{"", `batch: column "s" holds more than 2 GiB: build batches of fewer rows`} {
		c.String("x")
		got := ""
		if err := b.EndRow(); err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if b.Rows() != 1 || len(c.data) != math.MaxInt32 {
		t.Errorf("%d rows, %d bytes", b.Rows(), len(c.data))
	}
}
