package dedupe_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runners"
	"github.com/millrace-io/millrace/transforms/dedupe"
	"github.com/millrace-io/millrace/transforms/internal/grouptest"
)

type payment struct {
	At     time.Time
	ID     int64
	Amount float64
}

func ExampleRows() {
	noon := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
	var once *flow.Collection[payment]
	res, err := runners.Run(context.Background(), func(p *flow.Pipeline) {
		in := grouptest.Read(p, "payments", func(x payment) time.Time { return x.At },
			payment{noon, 1, 10}, payment{noon.Add(time.Second), 2, 20}, payment{noon, 1, 10}, payment{noon, 1, 99}, payment{noon, 1, 10})
		rows := dedupe.Rows("once", in.Rows, dedupe.Options{Horizon: 2 * time.Hour})
		once = flow.Collect[payment]("out", rows.Rows)
	}, runners.Options{InMemory: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	rows, err := once.Rows(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	slices.SortFunc(rows, func(a, b payment) int { return int(a.Amount - b.Amount) })
	for _, r := range rows {
		fmt.Println(r.ID, r.Amount)
	}
	out := res.Sinks[0]
	fmt.Printf("read %d = written %d + dropped %d\n", out.Read, out.Written, out.Dropped)
	// Output:
	// 1 10
	// 2 20
	// 1 99
	// read 5 = written 3 + dropped 2
}
