package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/millrace-io/millrace/batch"
	"github.com/millrace-io/millrace/batch/jsonarrow"
)

// consume hands every record to each, with franz-go's own consumer, up to the ends of all partitions.
func (c *childRun) consume(each func(*kgo.Record) error) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Addr), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.MaxVersions(kversion.V3_7_0()), kgo.FetchMaxBytes(16<<20), kgo.FetchMaxPartitionBytes(4<<20))
	if err != nil {
		return err
	}
	defer cl.Close()
	done := map[int32]bool{}
	for len(done) < partitions {
		fs := cl.PollFetches(context.Background())
		if err := fs.Err(); err != nil {
			return err
		}
		for it := fs.RecordIter(); !it.Done(); {
			c.firstRow()
			if err := each(it.Next()); err != nil {
				return err
			}
		}
		fs.EachPartition(func(p kgo.FetchTopicPartition) {
			if n := len(p.Records); n > 0 && p.Records[n-1].Offset+1 >= p.HighWatermark {
				done[p.Partition] = true
			}
		})
	}
	return nil
}

func (c *childRun) discard() error {
	return c.consume(func(*kgo.Record) error { return nil })
}

// plainRows is the number of rows that plain Go gathers before it writes.
const plainRows = 16 << 10

// plainFile is a Parquet file as a careful program writes it: dictionaries where they pay.
func plainFile(path string, s *arrow.Schema) (*pqarrow.FileWriter, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	props := []parquet.WriterProperty{parquet.WithCompression(compress.Codecs.Snappy)}
	for _, name := range []string{"id", "pickup_datetime", "dropoff_datetime", "trip_distance", "total_amount"} {
		props = append(props, parquet.WithDictionaryFor(name, false))
	}
	return pqarrow.NewFileWriter(s, f, parquet.NewWriterProperties(props...), pqarrow.DefaultWriterProps())
}

// plainStdlib decodes with encoding/json and appends to arrow-go's builders.
func (c *childRun) plainStdlib() error {
	w, err := plainFile(filepath.Join(c.Out, "all.parquet"), schema)
	if err != nil {
		return err
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	flush := func() error { return w.WriteBuffered(b.NewRecordBatch()) }
	err = c.consume(func(r *kgo.Record) error {
		var t trip
		if err := json.Unmarshal(r.Value, &t); err != nil {
			return err
		}
		if t.Fare <= 0 {
			return nil
		}
		appendTrip(b, &t)
		if b.Field(0).Len() < plainRows {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return err
	}
	return w.Close()
}

func appendTrip(b *array.RecordBuilder, t *trip) {
	number := func(i int, v int64) { b.Field(i).(*array.Int64Builder).Append(v) }
	amount := func(i int, v float64) { b.Field(i).(*array.Float64Builder).Append(v) }
	number(0, t.ID)
	number(1, t.Vendor)
	b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(t.Pickup.UnixMicro()))
	b.Field(3).(*array.TimestampBuilder).Append(arrow.Timestamp(t.Dropoff.UnixMicro()))
	number(4, t.Passengers)
	amount(5, t.Distance)
	number(6, t.From)
	number(7, t.To)
	number(8, t.Payment)
	amount(9, t.Fare)
	amount(10, t.Tip)
	amount(11, t.Tolls)
	amount(12, t.Total)
	b.Field(13).(*array.StringBuilder).Append(t.Flag)
}

// columns decodes records with Millrace's own decoder, and hands on batches.
func (c *childRun) columns(each func(*batch.Batch) error) error {
	d, err := jsonarrow.NewDecoder(schema, jsonarrow.Options{})
	if err != nil {
		return err
	}
	b, err := batch.NewBuilder(schema, batch.BuilderOptions{})
	if err != nil {
		return err
	}
	flush := func() error {
		rows, err := b.Build()
		if err != nil || rows == nil {
			return err
		}
		return each(rows)
	}
	err = c.consume(func(r *kgo.Record) error {
		if err := d.Append(b, r.Value); err != nil {
			return err
		}
		if err := b.EndRow(); err != nil || b.Rows() < plainRows {
			return err
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// plainArrow is plainStdlib with Millrace's decoder.
func (c *childRun) plainArrow() error {
	w, err := plainFile(filepath.Join(c.Out, "all.parquet"), schema)
	if err != nil {
		return err
	}
	err = c.columns(func(rows *batch.Batch) error {
		var keep []int32
		for i, v := range rows.Column(9).(*array.Float64).Float64Values() {
			if v > 0 {
				keep = append(keep, int32(i))
			}
		}
		kept, err := rows.Take(keep)
		if err != nil {
			return err
		}
		return w.WriteBuffered(kept.Visible())
	})
	if err != nil {
		return err
	}
	return w.Close()
}

// groups are the windows of plain Go, in a map.
type groups map[winKey]*win

func (g groups) add(us, zone int64, total float64) {
	k := winKey{us / minute.Microseconds(), zone}
	w := g[k]
	if w == nil {
		w = &win{}
		g[k] = w
	}
	w.trips++
	w.total += total
}

var windowSchema = arrow.NewSchema([]arrow.Field{
	{Name: "start", Type: arrow.FixedWidthTypes.Timestamp_us},
	{Name: "pu_location_id", Type: arrow.PrimitiveTypes.Int64},
	{Name: "trips", Type: arrow.PrimitiveTypes.Int64},
	{Name: "total_amount", Type: arrow.PrimitiveTypes.Float64},
}, nil)

func (g groups) write(path string) error {
	w, err := plainFile(path, windowSchema)
	if err != nil {
		return err
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, windowSchema)
	for k, v := range g {
		b.Field(0).(*array.TimestampBuilder).Append(arrow.Timestamp(k.minute * minute.Microseconds()))
		b.Field(1).(*array.Int64Builder).Append(k.zone)
		b.Field(2).(*array.Int64Builder).Append(v.trips)
		b.Field(3).(*array.Float64Builder).Append(v.total)
	}
	if err := w.Write(b.NewRecordBatch()); err != nil {
		return fmt.Errorf("write the windows: %w", err)
	}
	return w.Close()
}

func (c *childRun) plainStdlibWindow() error {
	g := groups{}
	err := c.consume(func(r *kgo.Record) error {
		var t trip
		if err := json.Unmarshal(r.Value, &t); err != nil {
			return err
		}
		if t.Fare > 0 {
			g.add(t.Pickup.UnixMicro(), t.From, t.Total)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return g.write(filepath.Join(c.Out, "all.parquet"))
}

func (c *childRun) plainArrowWindow() error {
	g := groups{}
	err := c.columns(func(rows *batch.Batch) error {
		at, zone := rows.Column(2).(*array.Timestamp), rows.Column(6).(*array.Int64)
		total := rows.Column(12).(*array.Float64)
		for i, fare := range rows.Column(9).(*array.Float64).Float64Values() {
			if fare > 0 {
				g.add(int64(at.Value(i)), zone.Value(i), total.Value(i))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return g.write(filepath.Join(c.Out, "all.parquet"))
}
