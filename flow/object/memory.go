package object

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// Memory is a store in the process's memory: for tests, and for results that a program collects.
type Memory struct {
	name string
	mu   sync.Mutex
	m    map[string][]byte
}

// NewMemory gives an empty store. The name is part of its URL.
func NewMemory(name string) *Memory { return &Memory{name: name, m: map[string][]byte{}} }

// Create implements Store.
func (s *Memory) Create(_ context.Context, name string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.m[name]; ok {
		return fmt.Errorf("object: create %s: %w", name, ErrExists)
	}
	s.m[name] = slices.Clone(data)
	return nil
}

// Put implements Store.
func (s *Memory) Put(_ context.Context, name string, write func(io.Writer) error) error {
	var buf bytes.Buffer
	if err := write(&buf); err != nil {
		return fmt.Errorf("object: put %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m[name] = buf.Bytes()
	return nil
}

// Get implements Store.
func (s *Memory) Get(_ context.Context, name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.m[name]
	if !ok {
		return nil, fmt.Errorf("object: get %s: %w", name, ErrNotFound)
	}
	return slices.Clone(data), nil
}

// Open implements Store.
func (s *Memory) Open(ctx context.Context, name string) (Reader, error) {
	data, err := s.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	return memoryReader{bytes.NewReader(data)}, nil
}

type memoryReader struct{ *bytes.Reader }

// Close does nothing.
func (memoryReader) Close() error { return nil }

// Stat implements Store.
func (s *Memory) Stat(ctx context.Context, name string) (int64, error) {
	data, err := s.Get(ctx, name)
	return int64(len(data)), err
}

// List implements Store.
func (s *Memory) List(_ context.Context, prefix string) ([]Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Info
	for name, data := range s.m {
		if strings.HasPrefix(name, prefix) {
			out = append(out, Info{Name: name, Size: int64(len(data))})
		}
	}
	slices.SortFunc(out, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Delete implements Store.
func (s *Memory) Delete(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, name)
	return nil
}

// URL implements Store.
func (s *Memory) URL() string { return "memory:" + s.name }
