// Package deadletter writes rejected and late rows, of any step and schema, as JSON lines: one line per dead letter, to be read
// by people and by tools, and to be replayed.
//
//	dead/
//	  step=clean/<file>.jsonl
//	  step=hourly/<file>.jsonl
//
//	{"step":"clean","cause":"rejected","rule":"fare_amount > 0","reason":"fare_amount is -4.5","partition":"trips/0",
//	 "position":"1877","event_time":"2019-01-15T08:30:00.000000Z","weight":1,"format":"json",
//	 "payload":"{\"vendor_id\":1,\"fare_amount\":-4.5}","payload_base64":null}
//
// Every line has the same keys, in this order: the columns of flow.DeadSchema. The payload is a text if its bytes are valid
// UTF-8; otherwise payload is null and payload_base64 holds them. Decode gives back exactly the bytes.
//
// Delivery: whole files; each letter once, none lost, also for a plain listing. Nothing is refused.
// Order: letters of one step keep the order in which they reach the sink.
// Positions: kept as columns of the letter.
package deadletter
