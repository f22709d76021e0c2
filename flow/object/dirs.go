package object

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// open gives the root directory. It creates it if asked to.
func (l *Local) open(create bool) (*os.Root, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.root != nil {
		return l.root, nil
	}
	if create {
		if err := makeRoot(l.path); err != nil {
			return nil, err
		}
	}
	root, err := os.OpenRoot(l.path)
	if err != nil {
		return nil, err
	}
	l.root = root
	return root, nil
}

// makeRoot creates a directory and its missing parents, each one durable in its parent.
func makeRoot(dir string) error {
	switch _, err := os.Stat(dir); {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(dir)
	if err := makeRoot(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, dirMode(dir)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(parent)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// makeDir creates a directory below the root. Each new one, and each one that this process meets for the first time, is
// made durable in its parent: the process that made it may have died before.
func (l *Local) makeDir(root *os.Root, dir string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := 1; i <= len(dir); i++ {
		if dir == "." || i < len(dir) && dir[i] != '/' {
			continue
		}
		part := dir[:i]
		err := root.Mkdir(part, dirMode(part))
		if errors.Is(err, fs.ErrExist) && l.durable[part] {
			continue
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := syncDir(root, path.Dir(part)); err != nil {
			return err
		}
		l.durable[part] = true
	}
	return nil
}

// dirMode keeps hidden directories, which hold working data, to this user.
func dirMode(dir string) fs.FileMode {
	if strings.HasPrefix(filepath.Base(dir), ".") {
		return 0o700
	}
	return 0o755
}

func syncDir(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// SameFileSystem checks that two directories lie, or will lie, on one file system, or two addresses of S3 in one bucket. The
// error names both.
func SameFileSystem(a, b string) error {
	if isS3(a) || isS3(b) {
		return sameS3(a, b)
	}
	devA, err := device(a)
	if err != nil {
		return err
	}
	devB, err := device(b)
	if err != nil {
		return err
	}
	if devA != devB {
		return fmt.Errorf("object: %s and %s: %w: choose places on one file system", a, b, syscall.EXDEV)
	}
	return nil
}

// device gives the file system of a path or, if the path does not exist, of its nearest parent that does.
func device(name string) (uint64, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return 0, explain("find the directory", name, err)
	}
	for {
		info, err := os.Stat(abs)
		if err == nil {
			st, ok := info.Sys().(*syscall.Stat_t)
			if !ok {
				return 0, fmt.Errorf("object: look at %s: this system does not name its file systems", abs)
			}
			return uint64(st.Dev), nil //nolint:unconvert // its type differs between systems
		}
		if !errors.Is(err, fs.ErrNotExist) || abs == filepath.Dir(abs) {
			return 0, explain("look at", abs, err)
		}
		abs = filepath.Dir(abs)
	}
}
