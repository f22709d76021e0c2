package parquetio

// Rules that a refused row breaks: the field rule of its dead letter.
const (
	// RuleUTF8: a text is not valid UTF-8, which Parquet's STRING demands.
	RuleUTF8 = "utf-8"
	// RuleRequired: a column that is declared not null holds a null.
	RuleRequired = "required"
	// RuleRange: a number, date or time does not fit the column's Parquet type.
	RuleRange = "range"
	// RuleFolder: a partition value makes a folder name of more than 255 bytes.
	RuleFolder = "folder"
	// RuleEmptyPartition: a partition value is the empty text, which the folder's name cannot tell from null, and
	// Options.DropPartitionColumns leaves it nowhere else.
	RuleEmptyPartition = "empty-partition"
	// RuleMaxPartitions: the row belongs to one partition more than Options.MaxPartitions allows.
	RuleMaxPartitions = "max-partitions"
)
