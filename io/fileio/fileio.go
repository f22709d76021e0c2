// Package fileio reads CSV files and files of JSON lines, plain or compressed with gzip or zstd.
//
// Delivery: each record of each file exactly once. A file that is not the one that a position belongs to is refused.
//
// Order: as in the file; none between files. Each file is one partition.
//
// Positions: the file's identity (name, size, time of change, hash of its first 64 KiB), and the number, line and offset
// of the next record. The offset counts decompressed bytes: a plain file is read on from there, a compressed one is
// decompressed again up to there.
package fileio

import (
	"fmt"
	"path"
	"strings"
)

// Format names how a file holds records.
type Format string

// The formats.
const (
	// CSV is RFC 4180: lines end with LF or CR LF, and a field in double quotes may hold both, the separator, and quotes
	// as two quotes. An empty line is no record.
	CSV Format = "csv"
	// JSONLines is one JSON object per line, read as package jsonarrow says. A blank line is no record.
	JSONLines Format = "jsonl"
)

var (
	formats      = map[string]Format{".csv": CSV, ".jsonl": JSONLines, ".ndjson": JSONLines, ".json": JSONLines}
	compressions = map[string]bool{".gz": true, ".zst": true}
)

// compressionOf gives ".gz", ".zst" or "" for a plain file.
func compressionOf(name string) string {
	if ext := strings.ToLower(path.Ext(name)); compressions[ext] {
		return ext
	}
	return ""
}

// formatOf gives the format of a file by the end of its name.
func formatOf(name string) (Format, error) {
	ext := strings.ToLower(path.Ext(name[:len(name)-len(compressionOf(name))]))
	f, ok := formats[ext]
	if !ok {
		return "", fmt.Errorf("%s: %w: names end with .csv, .jsonl, .ndjson or .json, and .gz or .zst behind it; or set Format", name, ErrFormat)
	}
	return f, nil
}

// splitURL parts a pattern into the folder that is listed and the pattern of the names below it.
func splitURL(u string) (root, pattern string) {
	fixed := u
	if i := strings.IndexAny(u, `*?[\`); i >= 0 {
		fixed = u[:i]
	}
	at := strings.LastIndexByte(fixed, '/')
	switch root, pattern = u[:at+1], u[at+1:]; {
	case root == "":
		root = "."
	case strings.Trim(root, "/") != "" && !strings.HasSuffix(root, "://") && !strings.HasSuffix(root, ":///"):
		root = strings.TrimRight(root, "/")
	}
	return root, pattern
}
