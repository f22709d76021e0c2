package wm

// tracker is what the simulation asks of watermarks: the Tracker, or a model of it that may be broken on purpose.
type tracker interface {
	add(kind kind, stage int, ts int64)
	remove(kind kind, stage int, ts int64)
	advance()
	value(stage int) Value
	restore(values []Value)
}

type kind int

const (
	pending kind = iota
	hold
)

// tracked is the Tracker under the simulation.
type tracked struct {
	t      *Tracker
	stages []*Stage
	fail   func(format string, args ...any)
}

func newReal(dag [][]int, fail func(string, ...any)) *tracked {
	r := &tracked{t: New(), fail: fail}
	for i, producers := range dag {
		var names []string
		for _, p := range producers {
			names = append(names, name(p))
		}
		s, err := r.t.AddStage(name(i), names...)
		if err != nil {
			fail("%v", err)
		}
		r.stages = append(r.stages, s)
	}
	return r
}

func name(i int) string { return string(rune('a' + i)) }

func (r *tracked) times(k kind, stage int) *Times {
	if k == hold {
		return &r.stages[stage].Holds
	}
	return &r.stages[stage].Pending
}

func (r *tracked) add(k kind, stage int, ts int64) { r.times(k, stage).Add(ts) }

func (r *tracked) remove(k kind, stage int, ts int64) {
	if err := r.times(k, stage).Remove(ts); err != nil {
		r.fail("%v", err)
	}
}

func (r *tracked) advance() { r.t.Advance() }

func (r *tracked) value(stage int) Value { return r.t.Values()[name(stage)] }

func (r *tracked) restore(values []Value) {
	m := map[string]Value{}
	for i, v := range values {
		m[name(i)] = v
	}
	if err := r.t.Restore(m); err != nil {
		r.fail("%v", err)
	}
}

// model recomputes every watermark from lists on every advance. Its faults are switched on by the mutants.
type model struct {
	dag    [][]int
	times  [2][]map[int64]int
	values []Value
	faults
}

type faults struct {
	ignore         [2]bool // pending elements, holds
	forgetsRunning bool    // an element leaves its stage when its bundle starts
	goesBack       bool
	oneProducer    bool
	outputAlone    bool // the output watermark follows the holds only
	keepsHolds     bool
	restoredHigh   bool
	notRestored    bool
	restoredBare   bool // without holds
	halfPublished  bool // consumed elements are published before the elements they became
}

func newModel(dag [][]int, f faults) *model {
	m := &model{dag: dag, faults: f}
	for range dag {
		for k := range m.times {
			m.times[k] = append(m.times[k], map[int64]int{})
		}
		m.values = append(m.values, Value{Min, Min})
	}
	return m
}

func (m *model) add(k kind, stage int, ts int64) { m.times[k][stage][ts]++ }

func (m *model) remove(k kind, stage int, ts int64) {
	if k == hold && m.keepsHolds {
		return
	}
	if m.times[k][stage][ts]--; m.times[k][stage][ts] == 0 {
		delete(m.times[k][stage], ts)
	}
}

func (m *model) least(k kind, stage int) int64 {
	least := Max
	for ts := range m.times[k][stage] {
		least = min(least, ts)
	}
	if m.ignore[k] {
		return Max
	}
	return least
}

func (m *model) advance() {
	for i, producers := range m.dag {
		v := Value{Input: m.least(pending, i)}
		for n, p := range producers {
			if n == 0 || !m.oneProducer {
				v.Input = min(v.Input, m.values[p].Output)
			}
		}
		if !m.goesBack {
			v.Input = max(v.Input, m.values[i].Input)
		}
		v.Output = m.least(hold, i)
		if !m.outputAlone {
			v.Output = min(v.Output, v.Input)
		}
		if !m.goesBack {
			v.Output = max(v.Output, m.values[i].Output)
		}
		m.values[i] = v
	}
}

func (m *model) value(stage int) Value { return m.values[stage] }

func (m *model) restore(values []Value) {
	if m.notRestored {
		return
	}
	copy(m.values, values)
	for i := range m.values {
		if m.restoredHigh {
			m.values[i].Input += 10
			m.values[i].Output += 10
		}
	}
}
