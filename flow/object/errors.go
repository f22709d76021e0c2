package object

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"syscall"
)

// What callers branch on.
var (
	// ErrExists says that the name is taken.
	ErrExists = errors.New("object exists")
	// ErrNotFound says that there is no object of that name.
	ErrNotFound = errors.New("object not found")
	// ErrName says that a name is not allowed.
	ErrName = errors.New("name not allowed")
)

// remedies says what to do, by cause. A cause that is not listed speaks for itself.
var remedies = []struct {
	cause error
	text  string
}{
	{syscall.ENOSPC, "free space there and start again; nothing was left half written"},
	{syscall.EDQUOT, "raise the quota or free space there and start again; nothing was left half written"},
	{syscall.EROFS, "it is mounted read-only; mount it writable or choose another place"},
	{syscall.EACCES, "give this process's user access to it or choose another place"},
	{syscall.EPERM, "the file system does not allow it (no hard links, an immutable file); choose another place"},
	{syscall.EOPNOTSUPP, "the file system does not allow it (no hard links); choose another place"},
	{syscall.EXDEV, "both must lie on one file system; choose places on the same one"},
	{syscall.EMFILE, "raise the limit of open files (ulimit -n)"},
	{syscall.ENFILE, "raise the system's limit of open files (fs.file-max)"},
	{syscall.ENOTDIR, "a file stands where a directory is needed; move it away"},
	{syscall.EISDIR, "a directory stands where a file is needed; move it away"},
	{syscall.EIO, "the device failed; look at the system's log before starting again"},
}

func explain(op, path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("object: %s %s: %w (%w)", op, path, ErrNotFound, err)
	}
	for _, r := range remedies {
		if errors.Is(err, r.cause) {
			return fmt.Errorf("object: %s %s: %w; %s", op, path, err, r.text)
		}
	}
	return fmt.Errorf("object: %s %s: %w", op, path, err)
}

// scrub drops the address, which may hold a password, from an error of url.Parse.
func scrub(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
