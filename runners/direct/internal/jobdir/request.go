package jobdir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// pollRequests is the time between two looks for a request.
const pollRequests = 200 * time.Millisecond

// request is for the process of one epoch: the next one must not do what was asked of this.
type request struct {
	Verb  string `json:"verb"`
	Epoch int64  `json:"epoch"`
}

// Request asks the process that holds the directory for something. It replaces a request that the process has not seen yet.
// It is an error if no process holds the directory.
func Request(path, verb string) error {
	epoch, err := readEpoch(path)
	if err != nil {
		return err
	}
	s, err := Inspect(path)
	if err != nil {
		return err
	}
	if !s.Held {
		return fmt.Errorf("job directory %s is held by no process, so that there is none to ask for %q", path, verb)
	}
	b, err := json.Marshal(request{verb, epoch})
	if err != nil {
		return err
	}
	return replace(filepath.Join(path, requestName), append(b, '\n'))
}

// Requests gives what other processes ask for. The channel is closed when ctx ends.
func (d *Dir) Requests(ctx context.Context) <-chan string {
	out := make(chan string)
	go func() {
		defer close(out)
		tick := time.NewTicker(pollRequests)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			verb, err := d.takeRequest()
			if err != nil {
				slog.Warn("a request to the job is ignored", "error", err)
			}
			if verb == "" {
				continue
			}
			select {
			case <-ctx.Done():
				return
			case out <- verb:
			}
		}
	}()
	return out
}

// takeRequest gives the request that is there and removes it; "" if there is none.
func (d *Dir) takeRequest() (string, error) {
	name := d.file(requestName)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err == nil {
		err = os.Remove(name)
	}
	if err != nil {
		return "", err
	}
	var r request
	if err := json.Unmarshal(b, &r); err != nil {
		return "", fmt.Errorf("%s is damaged: %w", name, err)
	}
	if r.Epoch != d.epoch {
		return "", fmt.Errorf("%s asks start %d of the job for %q, this is start %d", name, r.Epoch, r.Verb, d.epoch)
	}
	return r.Verb, nil
}
