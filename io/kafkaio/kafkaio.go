// Package kafkaio reads topics of Apache Kafka.
//
// Delivery: each record that a read_committed consumer may see is given exactly once to the job. Offsets are kept with the
// job's state, and consumer groups are not used. A record that does not fit the schema is Rejected with its bytes,
// the reason and its offset. What a rule drops is counted: tombstones, by default.
//
// Order: the order of offsets within a partition; none between partitions.
//
// Positions: cluster id, topic id, next offset and the number of records read. A topic that was created anew and another
// cluster stop the job with flow.ErrIdentity, offsets that retention has deleted with flow.ErrGap and their range. Offsets
// that compaction, aborted transactions and transaction markers leave out are neither counted nor waited for.
//
// Event time: a column, a header or the record's timestamp. A partition's watermark is its largest event time less
// MaxOutOfOrder. A partition is idle when all of it has been read: the last stable offset and the high watermark of
// an answer not older than two seconds both are the position. An open transaction therefore holds the watermark.
//
// How records travel:
//
//	broker 1 --+   one fetch request at a time and      partition buffers         one reader per partition
//	           |   broker, for every partition with    +----------------+
//	broker 2 --+-> room in its buffer                 -> answers as sent | -> decode -> rows, rejected records
//	           |                                       +----------------+
//	broker 3 --+   one kgo.Client per source               bounded, compressed
//
// Requests are made of kmsg and not by kgo's consumer, since only the answers say what a source has to prove: the last
// stable offset, the place behind markers and compacted batches, and by topic id (Kafka 3.1 and later) that it
// is still the same topic.
package kafkaio
