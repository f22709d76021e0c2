package commit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/millrace-io/millrace/flow/object"
)

// markerName is the object in the root of a destination that says who publishes there. A job that adds to a place of
// another one has a marker of its own beside it.
const markerName = ".millrace.json"

type marker struct {
	Version     int    `json:"version"`
	Job         string `json:"job"`
	Sink        string `json:"sink"`
	Incarnation string `json:"incarnation"`
	Ledger      string `json:"ledger"`
}

func decodeMarker(data []byte) (marker, error) {
	var m marker
	if err := decodeRecord("destination's marker", data, &m); err != nil {
		return m, err
	}
	if m.Version != version {
		return m, fmt.Errorf("commit: version %d of the destination's marker is not known", m.Version)
	}
	return m, nil
}

func (l *Ledger) ownMarkerName() string {
	return ".millrace-" + strings.TrimSuffix(filePrefix(l.o.Job, l.o.Sink), "-") + ".json"
}

// findMarker gives the sink's own marker, if there is one, and who else holds the place, if somebody does.
func (l *Ledger) findMarker(ctx context.Context) (own *marker, other string, err error) {
	for _, name := range []string{markerName, l.ownMarkerName()} {
		m, found, err := get(ctx, l.o.Dest, name, decodeMarker)
		switch {
		case err != nil:
			return nil, "", err
		case found && m.Job == l.o.Job && m.Sink == l.o.Sink:
			own = &m
		case found:
			other = fmt.Sprintf("what sink %q of job %q publishes", m.Sink, m.Job)
		}
	}
	return own, other, nil
}

// alone says whether nobody else has a marker in the destination. other is what findMarker has found.
func (l *Ledger) alone(ctx context.Context, other string) (bool, error) {
	if other != "" {
		return false, nil
	}
	list, err := l.o.Dest.List(ctx, ".millrace-")
	for _, i := range list {
		if i.Name != l.ownMarkerName() {
			return false, err
		}
	}
	return err == nil, err
}

// strangers says which file of unknown origin the destination holds; empty if none. Names that start with a dot or an
// underline, which readers pass over, do not count.
func (l *Ledger) strangers(ctx context.Context) (string, error) {
	list, err := l.o.Dest.List(ctx, "")
	for _, i := range list {
		if path := "/" + i.Name; !strings.Contains(path, "/.") && !strings.Contains(path, "/_") {
			return "files of unknown origin, such as " + i.Name, err
		}
	}
	return "", err
}

// mark sets the sink's marker, unless it stands.
func (l *Ledger) mark(ctx context.Context, incarnation string) error {
	own, other, err := l.findMarker(ctx)
	if own != nil || err != nil {
		return err
	}
	data, err := encodeRecord("destination's marker", marker{
		Version: version, Job: l.o.Job, Sink: l.o.Sink, Incarnation: incarnation,
		Ledger: object.Join(l.o.Staging.URL(), strings.TrimSuffix(l.prefix(), "/")),
	})
	if err != nil {
		return err
	}
	name := markerName
	if other != "" {
		name = l.ownMarkerName()
	}
	err = l.o.Dest.Create(ctx, name, data)
	if errors.Is(err, object.ErrExists) {
		return fmt.Errorf("commit: sink %s: another job has just taken %s: %w; start again", l.o.Sink, l.o.Dest.URL(), err)
	}
	return err
}
