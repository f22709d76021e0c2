package flow

import "context"

// Account is where the source rows on the way to one sink have gone, over all runs of the job. Counts are weights: source
// rows behind what is counted.
//
//	Read = Staged + Rejected + Dropped + Late + Held,  and  Staged = Written + Waiting
type Account struct {
	// Step is the sink's name, URL its destination.
	Step string `json:"step"`
	URL  string `json:"url"`
	// Read by the sources before the sink.
	Read int64 `json:"read"`
	// Written and visible, by the sink's own ledger.
	Written int64 `json:"written"`
	// Rejected, Dropped by rule, and Late on the way here.
	Rejected int64 `json:"rejected"`
	Dropped  int64 `json:"dropped"`
	Late     int64 `json:"late"`
	// Held in the state of steps before the sink.
	Held int64 `json:"held"`
	// Waiting is staged and not published yet.
	Waiting int64 `json:"waiting"`
	// Files, Bytes and Commits are what the sink has published.
	Files   int64 `json:"files"`
	Bytes   int64 `json:"bytes"`
	Commits int64 `json:"commits"`
	// Balanced says that the equations hold. It is null where a source reaches the sink by more than one way, so that
	// its rows count more than once, and where the sink takes rejected or late rows, which are not all that its sources gave.
	Balanced *bool `json:"balanced"`
}

// StepCount is a counter of a step.
type StepCount struct{ Step, Name string }

// Accounts gives the account of every sink of a started graph, from the committed counters of its steps and the ledgers.
func (g *Graph) Accounts(ctx context.Context, counters map[StepCount]int64) ([]Account, error) {
	status, err := g.SinkStatus(ctx, g.job.Name)
	if err != nil {
		return nil, err
	}
	var out []Account
	for _, st := range status {
		a := Account{
			Step: st.Step, URL: st.URL, Written: st.Totals.Visible.Weight, Files: st.Totals.Files,
			Bytes: st.Totals.Bytes, Commits: st.Totals.Commits,
		}
		n := g.nodes[st.Step]
		paths := map[*node]int{}
		countPaths(n, paths)
		single := true
		for m, k := range paths {
			single = single && k == 1
			if _, ok := m.impl.(*source); ok {
				a.Read += counters[StepCount{m.name, "in"}]
			}
			a.Rejected += counters[StepCount{m.name, "rejected"}]
			a.Dropped += counters[StepCount{m.name, "dropped"}]
			a.Late += counters[StepCount{m.name, "late"}]
			a.Held += counters[StepCount{m.name, "held"}]
		}
		staged := counters[StepCount{n.name, "staged"}]
		a.Waiting = staged - a.Written
		if single && !n.side {
			ok := a.Read == staged+a.Rejected+a.Dropped+a.Late+a.Held && a.Waiting >= 0
			a.Balanced = &ok
		}
		out = append(out, a)
	}
	return out, nil
}

// countPaths counts the ways from each step before n to n.
func countPaths(n *node, paths map[*node]int) {
	paths[n]++
	for _, in := range n.inputs {
		countPaths(in, paths)
	}
}
