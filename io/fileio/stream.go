package fileio

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/millrace-io/millrace/flow/object"
	"github.com/zeebo/xxh3"
)

const (
	headBytes   = 64 << 10
	chunkBytes  = 64 << 10
	windowBytes = 128 << 20
)

// file is an open file.
type file struct {
	raw         object.Reader
	id          identity
	format      Format
	compression string
	unzip       io.Closer // nil for a plain file
}

func (s *source) openFile(ctx context.Context, store object.Store, name string) (_ *file, err error) {
	format, err := s.o.formatOf(name)
	if err != nil {
		return nil, fmt.Errorf("fileio: %w", err)
	}
	raw, err := store.Open(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("fileio: %w", err)
	}
	f := &file{raw: raw, format: format, compression: compressionOf(name)}
	if f.id, err = f.identify(name); err != nil {
		return nil, errors.Join(fmt.Errorf("fileio: look at %s: %w", name, err), raw.Close())
	}
	return f, nil
}

// identify says which file is open, as it is now.
func (f *file) identify(name string) (identity, error) {
	id := identity{Name: name, Size: f.raw.Size()}
	if st, ok := f.raw.(interface{ Stat() (fs.FileInfo, error) }); ok {
		info, err := st.Stat()
		if err != nil {
			return id, err
		}
		id.Size, id.Modified = info.Size(), info.ModTime().UnixNano()
	}
	head := make([]byte, min(headBytes, id.Size))
	n, err := f.raw.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return id, err
	}
	sum := xxh3.Hash128(head[:n]).Bytes()
	id.Head = hex.EncodeToString(sum[:])
	return id, nil
}

// stream gives the decompressed bytes from the start of the file.
func (f *file) stream() (*bufio.Reader, error) {
	var in io.Reader = bufio.NewReaderSize(io.NewSectionReader(f.raw, 0, f.id.Size), chunkBytes)
	switch {
	case f.id.Size == 0 || f.compression == "":
	case f.compression == ".gz":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, f.explain(err)
		}
		in, f.unzip = z, z
	default:
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(windowBytes))
		if err != nil {
			return nil, f.explain(err)
		}
		in, f.unzip = z, z.IOReadCloser()
	}
	return bufio.NewReaderSize(in, chunkBytes), nil
}

// skip brings a stream that stands at from to another offset.
func (f *file) skip(ctx context.Context, in *bufio.Reader, from, to int64) error {
	if f.compression == "" {
		in.Reset(io.NewSectionReader(f.raw, to, f.id.Size-to))
		return nil
	}
	for from < to {
		if err := ctx.Err(); err != nil {
			return f.explain(err)
		}
		n, err := in.Discard(int(min(to-from, 1<<20)))
		if from += int64(n); err != nil {
			return f.explain(err)
		}
	}
	return nil
}

// Close frees the file.
func (f *file) Close() error {
	if f.unzip != nil {
		_ = f.unzip.Close() // it reports the fault that a read has reported
	}
	return f.raw.Close()
}
