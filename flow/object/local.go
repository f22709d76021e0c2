package object

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// tempPrefix starts the base name of every file that is being written; tempRandom letters of rand.Text follow.
const (
	tempPrefix = ".tmp-"
	tempRandom = 26
)

// Local is a Store in a directory.
//
//	Create: temp -> write -> fsync -> link(temp, name) -> fsync directory      a taken name stays what it is
//	Put:    temp -> write -> fsync -> rename(temp, name) -> fsync directory    a taken name is replaced in one step
//
// Every directory on the way to a name is fsynced into its parent before the name is used for the first time.
type Local struct {
	path string

	mu      sync.Mutex
	root    *os.Root
	durable map[string]bool // directories known to be durable in their parents
}

// NewLocal gives a store in a directory, which the first write creates.
func NewLocal(dir string) (*Local, error) {
	if dir == "" || strings.ContainsRune(dir, 0) {
		return nil, fmt.Errorf("object: open a store in the directory %q: %w: give a path", dir, ErrName)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, explain("find the directory", dir, err)
	}
	return &Local{path: abs, durable: map[string]bool{}}, nil
}

// URL gives the root as file:///path.
func (l *Local) URL() string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(l.path)}).String()
}

// Path gives the root as an absolute path.
func (l *Local) Path() string { return l.path }

// Close frees the root directory. The next use opens it again.
func (l *Local) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	root := l.root
	l.root = nil
	if root == nil {
		return nil
	}
	return root.Close()
}

// Create implements Store.
func (l *Local) Create(ctx context.Context, name string, data []byte) error {
	return l.store(ctx, name, func(root *os.Root) error {
		temp, err := l.writeTemp(root, name, func(f *os.File) error {
			if _, err := f.Write(data); err != nil {
				return err
			}
			return f.Sync()
		})
		if err != nil {
			return err
		}
		link := root.Link(temp, name)
		if err := errors.Join(root.Remove(temp), syncDir(root, path.Dir(name))); err != nil {
			return err
		}
		if errors.Is(link, fs.ErrExist) {
			return ErrExists
		}
		return link
	})
}

// Put implements Store.
func (l *Local) Put(ctx context.Context, name string, write func(io.Writer) error) error {
	trace := traceOf(ctx)
	return l.store(ctx, name, func(root *os.Root) error {
		temp, err := l.writeTemp(root, name, func(f *os.File) error {
			w := bufio.NewWriterSize(f, 64<<10)
			if err := errors.Join(write(w), w.Flush()); err != nil {
				return err
			}
			trace.Written()
			return f.Sync()
		})
		if err != nil {
			return err
		}
		trace.Synced()
		if err := ctx.Err(); err != nil {
			return errors.Join(err, root.Remove(temp))
		}
		// Guarantee 1: the file has its name only now that it is complete and durable.
		if err := root.Rename(temp, name); err != nil {
			return errors.Join(err, root.Remove(temp))
		}
		if err := syncDir(root, path.Dir(name)); err != nil {
			return err
		}
		trace.Visible()
		return nil
	})
}

// store checks the name, makes its directory and runs one write.
func (l *Local) store(ctx context.Context, name string, write func(*os.Root) error) error {
	if err := checkName(ctx, name); err != nil {
		return err
	}
	root, err := l.open(true)
	if err != nil {
		return explain("open", l.path, err)
	}
	if err := l.makeDir(root, path.Dir(name)); err != nil {
		return explain("make the directory of", l.full(name), err)
	}
	if err := write(root); err != nil {
		return explain("write", l.full(name), err)
	}
	return nil
}

// writeTemp fills a new temporary file beside name and gives its name. A file that could not be filled is removed.
func (l *Local) writeTemp(root *os.Root, name string, fill func(*os.File) error) (string, error) {
	temp := path.Join(path.Dir(name), tempPrefix+rand.Text())
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", err
	}
	if err := errors.Join(fill(f), f.Close()); err != nil {
		return "", errors.Join(err, root.Remove(temp))
	}
	return temp, nil
}

// Get implements Store.
func (l *Local) Get(ctx context.Context, name string) ([]byte, error) {
	var data []byte
	err := l.read(ctx, name, func(root *os.Root) (err error) {
		data, err = root.ReadFile(name)
		return err
	})
	return data, err
}

// Stat implements Store.
func (l *Local) Stat(ctx context.Context, name string) (int64, error) {
	var size int64
	err := l.read(ctx, name, func(root *os.Root) error {
		info, err := root.Stat(name)
		if err == nil && !info.Mode().IsRegular() {
			err = fs.ErrNotExist
		}
		if err == nil {
			size = info.Size()
		}
		return err
	})
	return size, err
}

// Open implements Store.
func (l *Local) Open(ctx context.Context, name string) (Reader, error) {
	var r *localReader
	err := l.read(ctx, name, func(root *os.Root) error {
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err != nil {
			return errors.Join(err, f.Close())
		}
		r = &localReader{File: f, size: info.Size()}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

type localReader struct {
	*os.File
	size int64
}

func (r *localReader) Size() int64 { return r.size }

func (l *Local) read(ctx context.Context, name string, read func(*os.Root) error) error {
	if err := checkName(ctx, name); err != nil {
		return err
	}
	root, err := l.open(false)
	if err == nil {
		err = read(root)
	}
	if err != nil {
		return explain("read", l.full(name), err)
	}
	return nil
}

// Delete implements Store.
func (l *Local) Delete(ctx context.Context, name string) error {
	if err := checkName(ctx, name); err != nil {
		return err
	}
	root, err := l.open(false)
	if err == nil {
		err = root.Remove(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain("delete", l.full(name), err)
	}
	return nil
}

// List implements Store. Symbolic links and temporary files are left out.
func (l *Local) List(ctx context.Context, prefix string) ([]Info, error) {
	var list []Info
	err := l.walk(ctx, prefix, func(_ *os.Root, name string, e fs.DirEntry) error {
		if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), tempPrefix) {
			return nil
		}
		info, err := e.Info()
		if err == nil {
			list = append(list, Info{Name: name, Size: info.Size()})
		}
		return err
	})
	slices.SortFunc(list, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return list, err
}

func (l *Local) sweepTemp(ctx context.Context, prefix string) (int, error) {
	n := 0
	err := l.walk(ctx, prefix, func(root *os.Root, name string, e fs.DirEntry) error {
		// Another program's files stay, even if they are named alike.
		if random, ok := strings.CutPrefix(e.Name(), tempPrefix); !ok || len(random) != tempRandom || !e.Type().IsRegular() {
			return nil
		}
		n++
		return root.Remove(name)
	})
	return n, err
}

// walk visits every file below prefix. A file that goes away meanwhile is passed over.
func (l *Local) walk(ctx context.Context, prefix string, visit func(*os.Root, string, fs.DirEntry) error) error {
	dir := "."
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		dir = prefix[:i]
	}
	if dir != "." {
		if err := checkName(ctx, dir); err != nil {
			return err
		}
	}
	root, err := l.open(false)
	if err == nil {
		err = fs.WalkDir(root.FS(), dir, func(name string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() && strings.HasPrefix(name, prefix) {
				err = visit(root, name, e)
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return errors.Join(err, ctx.Err())
		})
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain("list", l.full(dir), err)
	}
	return nil
}

func (l *Local) full(name string) string { return filepath.Join(l.path, filepath.FromSlash(name)) }

func checkName(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("object: %q: %w", name, context.Cause(ctx))
	}
	// Guarantee 14: no name leads out of the root; os.Root refuses symbolic links that do.
	if !fs.ValidPath(name) || name == "." || strings.ContainsRune(name, 0) || strings.HasPrefix(path.Base(name), tempPrefix) {
		return fmt.Errorf("object: %q: %w: it must be a relative path without empty, . or .. segments, NUL or %s", name, ErrName, tempPrefix)
	}
	return nil
}
