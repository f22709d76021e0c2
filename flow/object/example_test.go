package object_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/millrace-io/millrace/flow/object"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "object")
	check(err)
	defer os.RemoveAll(dir)

	s, err := object.Open("file://" + dir)
	check(err)
	check(s.Create(ctx, "ledger/1.claim", []byte("mine")))
	err = s.Create(ctx, "ledger/1.claim", []byte("yours"))
	fmt.Println("taken:", errors.Is(err, object.ErrExists))
	list, err := s.List(ctx, "ledger/")
	check(err)
	fmt.Println(list)

	_, err = object.Open("ftp://host/x")
	fmt.Println(err)
	// Output:
	// taken: true
	// [{ledger/1.claim 4}]
	// object: open a store of scheme "ftp": not supported; use a path, file:///path or s3://bucket/prefix
}

func ExampleWithTrace() {
	dir, err := os.MkdirTemp("", "object")
	check(err)
	defer os.RemoveAll(dir)
	s, err := object.NewLocal(dir)
	check(err)
	ctx := object.WithTrace(context.Background(), object.Trace{
		Synced:  func() { fmt.Println("synced") },
		Visible: func() { fmt.Println("visible") },
	})
	check(s.Put(ctx, "x", func(w io.Writer) error { fmt.Println("written"); return nil }))
	// Output:
	// written
	// synced
	// visible
}

func ExampleSweepTemp() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "object")
	check(err)
	defer os.RemoveAll(dir)
	check(os.WriteFile(filepath.Join(dir, ".tmp-ABCDEFGHIJKLMNOPQRSTUVWXYZ"), nil, 0o600))
	s, err := object.Open(dir)
	check(err)
	n, err := object.SweepTemp(ctx, s, "")
	check(err)
	fmt.Println("swept:", n)
	// Output: swept: 1
}

func ExampleSameFileSystem() {
	fmt.Println(object.SameFileSystem(os.TempDir(), filepath.Join(os.TempDir(), "not", "there")))
	// Output: <nil>
}
