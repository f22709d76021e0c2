package object

import "context"

// Trace is a set of hooks that Put calls on its way. A nil hook is skipped.
type Trace struct {
	// Written: all bytes have been handed to the operating system, none is known to be durable.
	Written func()
	// Synced: the bytes are durable, under no name that a reader sees. A store in which that is no step of its own leaves it out.
	Synced func()
	// Visible: the object stands under its name, durably.
	Visible func()
}

type traceKey struct{}

// WithTrace gives a context with which Put calls the hooks of t.
func WithTrace(ctx context.Context, t Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

func traceOf(ctx context.Context) Trace {
	t, _ := ctx.Value(traceKey{}).(Trace)
	for _, hook := range []*func(){&t.Written, &t.Synced, &t.Visible} {
		if *hook == nil {
			*hook = func() {}
		}
	}
	return t
}
