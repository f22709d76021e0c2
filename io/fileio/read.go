package fileio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/flow/object"
)

// Read reads the files that exist when the job is started first: each record once. Records that do not fit the schema are
// Rejected with their bytes, line and offset.
//
// No file is looked at while the graph is built. Memory: one batch, one record, and the window of the compression, at most
// 128 MiB for zstd, per file that is being read.
func Read(p *flow.Pipeline, step string, o Options) flow.Input {
	s, err := newSource(o)
	if err != nil {
		p.Errorf(step, "fileio.Read: %w", err)
		return flow.Input{}
	}
	return flow.Read(p, step, s)
}

// source is the flow.Source of a Read.
type source struct {
	o             Options
	root, pattern string
	address       string
	schema        *arrow.Schema
}

func newSource(o Options) (*source, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &source{o: o.withDefaults()}
	s.root, s.pattern = splitURL(o.URL)
	d, err := s.o.decoder()
	if err != nil {
		return nil, err
	}
	s.schema = d.Schema()
	store, err := object.Open(s.root)
	if err != nil {
		return nil, err
	}
	s.address = strings.TrimRight(store.URL(), "/") + "/" + s.pattern
	return s, object.Close(store)
}

// Spec describes the source.
func (s *source) Spec() flow.SourceSpec {
	return flow.SourceSpec{
		Connector: "fileio", Address: s.address, Schema: s.schema, EventTime: s.o.EventTime != "", Bounded: true,
		Guarantee: "each record of each file once, in the order of the file; a file that has changed is refused",
	}
}

// Partitions lists the files, by name.
func (s *source) Partitions(ctx context.Context) (_ []flow.Partition, err error) {
	store, err := object.Open(s.root)
	if err != nil {
		return nil, fmt.Errorf("fileio: %w", err)
	}
	defer func() { err = errors.Join(err, object.Close(store)) }()
	prefix, _, _ := strings.Cut(s.pattern, `\`)
	if i := strings.IndexAny(prefix, "*?["); i >= 0 {
		prefix = prefix[:i]
	}
	list, err := store.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("fileio: %w", err)
	}
	var out []flow.Partition
	for _, info := range list {
		if ok, err := path.Match(s.pattern, info.Name); err != nil || !ok {
			continue
		}
		p, err := s.partition(ctx, store, info.Name)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("fileio: %w %s: check Options.URL; symbolic links are not followed", ErrNoFile, s.address)
	}
	return out, nil
}

// partition notes which file of that name there is now.
func (s *source) partition(ctx context.Context, store object.Store, name string) (p flow.Partition, err error) {
	f, err := s.openFile(ctx, store, name)
	if err != nil {
		return p, err
	}
	data, err := json.Marshal(f.id)
	return flow.Partition{ID: name, Data: data}, errors.Join(err, f.Close())
}

// Open reads on from a position.
func (s *source) Open(ctx context.Context, a flow.Assignment) (_ flow.Reader, err error) {
	pos, err := startOf(a)
	if err != nil {
		return nil, err
	}
	store, err := object.Open(s.root)
	if err != nil {
		return nil, fmt.Errorf("fileio: %w", err)
	}
	r := &reader{store: store, pos: pos, batchRows: int64(s.o.BatchRows), batchBytes: s.o.BatchBytes}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if r.file, err = s.openFile(ctx, store, a.ID); err != nil {
		return nil, err
	}
	if err := pos.File.same(r.file.id); err != nil {
		return nil, err
	}
	if r.codec, err = newCodec(s.o, r.file); err != nil {
		return nil, fmt.Errorf("fileio: %s: %w", a.ID, err)
	}
	return r, r.seek(ctx, s.o)
}

// Describe prints a position.
func (s *source) Describe(raw []byte) string {
	pos, err := decodePosition(raw)
	if err != nil {
		return "start"
	}
	return fmt.Sprintf("line %d, byte %d (%d records read)", pos.Line, pos.Offset, pos.Record)
}
