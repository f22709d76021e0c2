// Package object is the little that the commit protocol asks of an object store: create-only objects, whole files,
// sorted listings. A local directory serves as one, and a bucket of S3.
//
// An object has a name of slash-separated segments below the store's root. It is whole or absent: a reader never sees
// part of it, whatever happens to the writer. A name of which one segment is "." or "..", is empty, starts with ".tmp-"
// or has a NUL byte is refused, and no name leads out of the root, not through a symbolic link either.
package object

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
)

// Store keeps whole objects by name. It is safe for use by several goroutines and by several processes at once.
//
// An error of any method but those named leaves open whether the operation took place: the caller asks again.
type Store interface {
	// Create stores data under a name that is not taken. When it returns nil the object is whole and durable.
	// If the name is taken it returns ErrExists, changes nothing, and the object that stands is durable.
	Create(ctx context.Context, name string, data []byte) error
	// Put stores what write writes, in place of an object that stands. When it returns nil the object is whole and
	// durable; if write fails nothing becomes visible and the error wraps write's own.
	Put(ctx context.Context, name string, write func(io.Writer) error) error
	// Get reads a whole object. It returns ErrNotFound if there is none.
	Get(ctx context.Context, name string) ([]byte, error)
	// Open gives random access to an object. It returns ErrNotFound if there is none. The caller closes the reader.
	Open(ctx context.Context, name string) (Reader, error)
	// Stat gives an object's size in bytes. It returns ErrNotFound if there is none.
	Stat(ctx context.Context, name string) (int64, error)
	// List gives all objects whose name starts with prefix, at any depth, sorted by name. No object is no error.
	List(ctx context.Context, prefix string) ([]Info, error)
	// Delete removes an object. An absent one is no error. After a loss of power a removed object may stand again.
	Delete(ctx context.Context, name string) error
	// URL is the address of the store's root, without secrets.
	URL() string
}

// Reader reads one object at any offset. Its methods are safe for use by several goroutines.
type Reader interface {
	io.ReaderAt
	io.Closer
	// Size is the length of the object in bytes.
	Size() int64
}

// Info describes one listed object.
type Info struct {
	Name string
	Size int64
}

// Close frees what a store holds, once it is not used any more.
func Close(s Store) error {
	if c, ok := s.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Open gives the store at an address: an absolute or relative path, file:///path or s3://bucket/prefix. It touches nothing: the root is
// created by the first write, but no bucket is. An address of another scheme is an error that names what is supported.
func Open(address string) (Store, error) {
	scheme, _, ok := strings.Cut(address, "://")
	if !ok {
		return NewLocal(address)
	}
	open, ok := schemes[scheme]
	if !ok {
		return nil, fmt.Errorf("object: open a store of scheme %q: not supported; use a path, file:///path or s3://bucket/prefix", scheme)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("object: open a store: the address is no URL: %w", scrub(err))
	}
	return open(u)
}

var schemes = map[string]func(*url.URL) (Store, error){"file": openFile, "s3": openS3}

func openFile(u *url.URL) (Store, error) {
	if (u.Host != "" && u.Host != "localhost") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("object: open a store: a file address has a path only, as in file:///lake; %q has more", u.Redacted())
	}
	return NewLocal(filepath.FromSlash(u.Path))
}

// SweepTemp removes what writers that died left below prefix, and gives the number of things removed. The caller must be
// the only writer below prefix: the write of another one fails when its temporary file goes.
func SweepTemp(ctx context.Context, s Store, prefix string) (int, error) {
	if t, ok := s.(interface {
		sweepTemp(context.Context, string) (int, error)
	}); ok {
		return t.sweepTemp(ctx, prefix)
	}
	return 0, nil
}
