// Package parquetio writes rows as Parquet files, below one folder, in Hive's partition layout.
//
//	lake/trips/                                     Options.URL
//	  pickup_datetime_day=2019-01-15/               day(pickup_datetime), UTC
//	    vendor_id=1/                                vendor_id
//	      <file>.parquet
//	    vendor_id=__HIVE_DEFAULT_PARTITION__/       rows whose vendor_id is null
//	      <file>.parquet
//
// Delivery: whole files; each row once, none lost, also for a plain listing. Files of one commit become visible one by one.
// Order: rows of one source partition keep their order within a destination.
// Positions: dropped, unless Options.Positions keeps them.
//
// A row that Parquet or the layout cannot hold exactly goes to Rejected with the rule it breaks; nothing is rounded,
// replaced or cut. The files hold every column of the rows, also those that the folders are made of, so that they can be
// read without knowledge of the folders and types, nulls and empty strings stay what they are; see
// Options.DropPartitionColumns.
package parquetio
