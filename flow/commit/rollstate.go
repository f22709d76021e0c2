package commit

import (
	"errors"
	"fmt"
)

// DecodeRoll reads what Encode gave. No bytes at all give a new roll. A state of another sink, job or incarnation is an
// error.
func DecodeRoll(data []byte, o RollOptions) (*Roll, error) {
	r := NewRoll(o)
	if len(data) == 0 {
		return r, nil
	}
	if err := r.decode(data); err != nil {
		return nil, fmt.Errorf("commit: state of the roll of sink %s: %w", o.Sink, err)
	}
	return r, nil
}

func (r *Roll) decode(data []byte) error {
	d, err := newDecoder(data)
	if err != nil {
		return err
	}
	sink, job, incarnation := d.text(), d.text(), d.text()
	if !d.bad && (sink != r.o.Sink || job != r.o.Job || incarnation != r.o.Incarnation) {
		return fmt.Errorf("it belongs to sink %q of job %q, incarnation %s, and not to job %q, incarnation %s; start with the job's own state",
			sink, job, incarnation, r.o.Job, r.o.Incarnation)
	}
	r.next, r.prev, r.ended = d.int(), d.text(), d.bool()
	for range d.count(minPiece) {
		r.pieces[d.text()] = &piece{left: int(d.uint()), unseen: int(d.uint())}
	}
	for range d.count(minWaiting) {
		since := d.int()
		for range d.count(minManifest) {
			r.wait(d.manifest(), since)
		}
	}
	return errors.Join(d.finish(), r.check())
}

// check finds a state that no roll has: a range of a piece that is not known, or of which all ranges are taken.
func (r *Roll) check() error {
	waiting := map[string]int{}
	for _, w := range r.open {
		for _, m := range w.manifests {
			waiting[m.Piece]++
		}
	}
	for name, p := range r.pieces {
		if p.left < 1 || p.unseen < 0 || p.left != p.unseen+waiting[name] {
			return errWire
		}
		delete(waiting, name)
	}
	if len(waiting) > 0 || r.next < 1 || !isID(r.prev) {
		return errWire
	}
	return nil
}
