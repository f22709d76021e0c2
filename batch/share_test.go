package batch_test

import (
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/millrace-io/millrace/batch"
)

// Several consumers may read one batch at a time; the race detector looks on.
func TestConsumersShareABatch(t *testing.T) {
	b := newBuilder(t, batch.BuilderOptions{Time: true, Offsets: batch.IntOffsets}, arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int64, Nullable: true})
	for i := range int64(100) {
		if i%3 == 0 {
			b.Col(0).Null()
		} else {
			b.Col(0).Int64(i)
		}
		b.Time(i)
		b.Position("p", i, 0)
		if err := b.EndRow(); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	part := whole.Slice(10, 90)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := part.Take([]int32{5, 1}); err != nil {
				t.Error(err)
			}
			batch.PartRanges(part)
			part.Column(0).NullN()
		})
	}
	wg.Wait()
}
