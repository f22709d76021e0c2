package direct_test

import (
	"context"
	"fmt"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/millrace-io/millrace/runners/direct"
)

var seen = beam.NewCounter("example", "words")

func count(ctx context.Context, word string) { seen.Inc(ctx, int64(len(word))) }

func Example() {
	beam.RegisterFunction(count) // a program does this once, when it starts
	p, s := beam.NewPipelineWithRoot()
	beam.ParDo0(s.Scope("count"), count, beam.Create(s, "dump", "stream", "lake"))
	r, err := direct.Run(context.Background(), p, direct.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.State)
	for c, n := range r.Counters {
		fmt.Println(c.Step, c.Name, n)
	}
	// Output:
	// finished
	// count/direct_test.count words 14
}

func ExampleCheck() {
	p, s := beam.NewPipelineWithRoot()
	beam.GroupByKey(s.Scope("group"), beam.AddFixedKey(s, beam.Create(s, 1)))
	fmt.Println(direct.Check(p))
	// Output:
	// step "group/CoGBK" uses GroupByKey with a trigger other than Repeat(AfterCount(1)), which the direct runner does not support
}

func ExampleDescribe() {
	p, s := beam.NewPipelineWithRoot()
	beam.Reshuffle(s.Scope("spread"), beam.Impulse(s))
	text, err := direct.Describe(p)
	fmt.Println(text, err)
	// Output:
	// stage "Impulse" impulse
	//   step "Impulse" beam:transform:impulse:v1
	//   to "spread/Reshuffle"
	// stage "spread/Reshuffle" parallel
	//   input bytes
	//   step "spread/Reshuffle" beam:transform:reshuffle:v1
	//  <nil>
}

func ExampleExecute() {
	beam.RegisterFunction(count)
	beam.RegisterRunner("embedded", direct.Execute)
	p, s := beam.NewPipelineWithRoot()
	beam.ParDo0(s.Scope("count"), count, beam.Create(s, "one", "two"))
	r, err := beam.Run(context.Background(), "embedded", p)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range r.Metrics().AllMetrics().Counters() {
		fmt.Println(c.Name(), c.Result())
	}
	// Output:
	// words 6
}
