// Package failpoint ends the process at a named place of the commit and publish paths, so that crash tests can aim.
//
// It does nothing unless the environment variable MILLRACE_FAILPOINT is set, as NAME or NAME:N: at the N-th time (default
// the first) that Hit is called with NAME the process is killed with SIGKILL, as a crash or the kernel would do it.
package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// Env is the name of the environment variable that arms one failpoint.
const Env = "MILLRACE_FAILPOINT"

var (
	armed, after = parse(os.Getenv(Env))
	hits         atomic.Int64
)

func parse(v string) (string, int64) {
	name, n, ok := strings.Cut(v, ":")
	if !ok {
		return name, 1
	}
	k, err := strconv.ParseInt(n, 10, 64)
	if err != nil || k < 1 {
		return name, 1
	}
	return name, k
}

// Hit kills the process if name is armed and this is the N-th call for it.
func Hit(name string) {
	if armed == "" || name != armed {
		return
	}
	if hits.Add(1) == after {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// Names lists every failpoint of the program, in the order in which a row meets them.
func Names() []string {
	return []string{
		"stage/before-sync", "stage/after-sync",
		"store/before-segment-sync", "store/after-segment-sync", "store/after-batch",
		"publish/before-claim", "publish/after-claim",
		"publish/file-written", "publish/file-renamed",
		"publish/before-done", "publish/after-done",
		"publish/before-piece-delete", "publish/after-piece-delete",
	}
}
