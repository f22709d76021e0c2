package iotest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/millrace-io/millrace/flow"
)

// checkDamagedPositions opens with positions that no page has given.
func checkDamagedPositions(t testing.TB, _ Features, fx SourceFixture) error {
	src, err := fx.New()
	if err != nil {
		return err
	}
	parts, err := all(t.Context(), src)
	if err != nil {
		return err
	}
	for id, whole := range parts {
		p, err := partition(t.Context(), src, id)
		if err != nil {
			return err
		}
		last := whole.marks[len(whole.marks)-1].next
		for _, pos := range [][]byte{{0}, []byte("garbage"), last[:len(last)/2], append([]byte("x"), last...)} {
			if len(pos) == 0 {
				continue
			}
			r, err := src.Open(t.Context(), flow.Assignment{Partition: p, Position: pos, Epoch: 1})
			if err == nil {
				return errors.Join(fmt.Errorf("partition %q was opened at the damaged position %q", id, pos), r.Close())
			}
		}
	}
	return nil
}

func checkIdentity(t testing.TB, _ Features, fx SourceFixture) error {
	src, err := fx.New()
	if err != nil {
		return err
	}
	before, err := all(t.Context(), src)
	if err != nil {
		return err
	}
	if err := fx.Recreate(); err != nil {
		return err
	}
	if src, err = fx.New(); err != nil {
		return err
	}
	parts, err := src.Partitions(t.Context())
	if err != nil {
		return err
	}
	for _, p := range parts {
		for n, m := range before[p.ID].marks {
			r, err := src.Open(t.Context(), flow.Assignment{Partition: p, Position: m.next, Epoch: 2})
			if err == nil {
				return errors.Join(fmt.Errorf("partition %q was opened at the position behind page %d of the thing that was there before", p.ID, n), r.Close())
			}
			if !errors.Is(err, flow.ErrIdentity) {
				return fmt.Errorf("partition %q: want an error that wraps flow.ErrIdentity: %w", p.ID, err)
			}
		}
	}
	return nil
}

// checkAppend reads to the end, adds records, and reads on: with the same readers, and with new ones.
func checkAppend(t testing.TB, _ Features, fx SourceFixture) error {
	src, err := fx.New()
	if err != nil {
		return err
	}
	parts, err := src.Partitions(t.Context())
	if err != nil {
		return err
	}
	readers, readings := make([]pageReader, len(parts)), make([]reading, len(parts))
	for i, p := range parts {
		r, err := src.Open(t.Context(), flow.Assignment{Partition: p, Epoch: 1})
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = r.Close() })
		readers[i], readings[i] = pageReader{src.Spec(), p.ID, r}, newReading()
		if err := readings[i].drain(t.Context(), readers[i]); err != nil {
			return err
		}
	}
	want, err := fx.Append()
	if err != nil {
		return err
	}
	got := 0
	for i, p := range parts {
		before := readings[i]
		m := before.marks[len(before.marks)-1]
		if err := readings[i].drain(t.Context(), readers[i]); err != nil {
			return err
		}
		got += len(readings[i].rows) - m.rows
		rest, err := read(t.Context(), src, flow.Assignment{Partition: p, Position: m.next, Epoch: 2})
		if err != nil {
			return err
		}
		if diff := sameRest(readings[i], m, rest); diff != "" {
			return fmt.Errorf("partition %q: a new reader reads something else: %s", p.ID, diff)
		}
	}
	if got != want {
		return fmt.Errorf("%d rows were read of %d that were added", got, want)
	}
	return nil
}

func checkUntilNow(t testing.TB, _ Features, fx SourceFixture) error {
	src, err := fx.New()
	if err != nil {
		return err
	}
	e, ok := src.(flow.Ender)
	if !ok {
		return errors.New("it is no flow.Ender")
	}
	parts, err := src.Partitions(t.Context())
	if err != nil {
		return err
	}
	for _, p := range parts {
		end, err := e.Ends(t.Context(), p)
		if err != nil {
			return fmt.Errorf("partition %q: %w", p.ID, err)
		}
		whole, err := read(t.Context(), src, flow.Assignment{Partition: p, Epoch: 1})
		if err != nil {
			return err
		}
		for n, m := range whole.marks {
			left := whole.records - m.records
			reached := e.Reached(m.next, end)
			if reached && left > 0 {
				return fmt.Errorf("partition %q, behind page %d: Reached, with %d records left", p.ID, n, left)
			}
			if !reached && n == len(whole.marks)-1 {
				return fmt.Errorf("partition %q: the end is not Reached when everything is read", p.ID)
			}
		}
	}
	return nil
}
