package store

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guard is what Pebble writes through. Pebble answers an error of its log or its manifest by ending the process, and one of
// a table by trying again. Here the first error of any write or sync breaks the store instead: it is reported, and the
// goroutine that met it stops for good, so that Pebble does nothing further with files of which nobody knows what is on disk.
// The guard is armed while the store is open; before and after that Pebble returns its errors by itself.
type guard struct {
	vfs.FS
	armed  atomic.Bool
	fail   func(error)
	once   sync.Once
	parked chan struct{} // closed when a goroutine has stopped for good
	log    *slog.Logger
}

// stop reports err and never returns, if the guard is armed.
func (g *guard) stop(err error) {
	if g.armed.Load() {
		g.fail(err)
		g.once.Do(func() { close(g.parked) })
		park()
	}
}

// park blocks for ever.
func park() { select {} }

func (g *guard) check(what, name string, err error) error {
	if err != nil {
		g.stop(fmt.Errorf("%s %s: %w", what, name, err))
	}
	return err
}

func (g *guard) file(what, name string, f vfs.File, err error) (vfs.File, error) {
	if g.check(what, name, err) != nil {
		return nil, err
	}
	return &guardedFile{File: f, guard: g, name: name}, nil
}

func (g *guard) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.Create(name, c)
	return g.file("create", name, f, err)
}

func (g *guard) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.ReuseForWrite(old, name, c)
	return g.file("reuse "+old+" as", name, f, err)
}

func (g *guard) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	return g.file("open directory", name, f, err)
}

func (g *guard) Link(old, name string) error {
	return g.check("link "+old+" to", name, g.FS.Link(old, name))
}

func (g *guard) Rename(old, name string) error {
	return g.check("rename "+old+" to", name, g.FS.Rename(old, name))
}

// Unwrap implements vfs.FS.
func (g *guard) Unwrap() vfs.FS { return g.FS }

type guardedFile struct {
	vfs.File
	guard *guard
	name  string
}

func (f *guardedFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.guard.check("write", f.name, err)
}

func (f *guardedFile) Sync() error { return f.guard.check("sync", f.name, f.File.Sync()) }

func (f *guardedFile) SyncData() error { return f.guard.check("sync", f.name, f.File.SyncData()) }

func (f *guardedFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.guard.check("sync", f.name, err)
}

// Infof implements pebble.Logger. What Pebble does in the background is not worth a line.
func (g *guard) Infof(string, ...any) {}

// Errorf implements pebble.Logger.
func (g *guard) Errorf(format string, args ...any) {
	g.log.Error("state store: " + fmt.Sprintf(format, args...))
}

// Fatalf implements pebble.Logger. Pebble expects that it does not return.
func (g *guard) Fatalf(format string, args ...any) {
	g.stop(fmt.Errorf(format, args...))
	g.Errorf(format, args...)
}
