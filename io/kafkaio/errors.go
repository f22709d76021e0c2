package kafkaio

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Sentinels that callers branch on, besides flow.ErrIdentity and flow.ErrGap.
var (
	// ErrAway: the brokers, a topic or the leader of a partition were not there for Options.Timeout.
	ErrAway = errors.New("not available")
	// ErrSecret: a reference to a secret cannot be resolved.
	ErrSecret = errors.New("secret cannot be resolved")
)

// IdentityError says that a position belongs to another topic or cluster. It wraps flow.ErrIdentity.
type IdentityError struct {
	// Partition is the partition's ID, such as "trips/3".
	Partition string
	// What is "topic" or "cluster".
	What string
	// Stored is the id in the position, Found the present one.
	Stored, Found string
}

// Error names both ids.
func (e *IdentityError) Error() string {
	return fmt.Sprintf("kafkaio: partition %s: %v: its position belongs to %s id %s, the brokers now have %s id %s: "+
		"start a new job for the new %s, or reset this one", e.Partition, flow.ErrIdentity, e.What, e.Stored, e.What, e.Found, e.What)
}

// Unwrap gives flow.ErrIdentity.
func (e *IdentityError) Unwrap() error { return flow.ErrIdentity }

// GapError says that offsets which were not read yet are gone. It wraps flow.ErrGap.
type GapError struct {
	// Partition is the partition's ID, such as "trips/3".
	Partition string
	// Next is the position.
	Next int64
	// First and End are what the broker has: the offset of the first record and the one behind the last.
	First, End int64
}

// Error gives the range that is gone, or says that the log ends before the position.
func (e *GapError) Error() string {
	if e.Next > e.End {
		return fmt.Sprintf("kafkaio: partition %s: %v: the position is %d and the log ends at %d: it has lost records that this job "+
			"has read: reset the job, or give Options.Offsets to a new one", e.Partition, flow.ErrGap, e.Next, e.End)
	}
	return fmt.Sprintf("kafkaio: partition %s: %v: offsets %d to %d were deleted before they were read, the oldest one is %d: "+
		"keep records longer than the job may stand still; reset the job to read what is left",
		e.Partition, flow.ErrGap, e.Next, e.First-1, e.First)
}

// Unwrap gives flow.ErrGap.
func (e *GapError) Unwrap() error { return flow.ErrGap }

// away says that nothing was heard for some time. cause is the last error.
func away(what string, since time.Duration, cause error) error {
	return fmt.Errorf("kafkaio: %s: %w for %s (Options.Timeout): check Options.Brokers and Options.Topics and that the brokers run; "+
		"nothing is lost, the job goes on when it is started again: %w", what, ErrAway, since.Round(time.Second/10), cause)
}

// fatal says whether an error will not mend itself.
func fatal(err error) bool {
	var cert *tls.CertificateVerificationError
	var broker *kerr.Error
	switch {
	case errors.As(err, &cert):
		return true
	case errors.As(err, &broker):
		// A topic that is missing may be one that the brokers have not heard of yet.
		return !broker.Retriable && !errors.Is(err, kerr.UnknownTopicID) && !errors.Is(err, kerr.InconsistentTopicID)
	}
	return errors.Is(err, context.Canceled)
}

// refused wraps an error that will not mend itself, with what to do.
func refused(what string, err error) error {
	hint := "see the broker's log"
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &cert):
		hint = "check Options.TLS"
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism):
		hint = "check Options.SASL"
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		hint = "the user needs READ and DESCRIBE on the topic"
	}
	return fmt.Errorf("kafkaio: %s: %s: %w", what, hint, err)
}
