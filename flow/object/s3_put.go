package object

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
)

const (
	s3PartBytes = 8 << 20
	s3MaxParts  = 10_000
	s3AbortTime = 30 * time.Second
	s3Word      = "millrace-write" // key of the metadata by which a write knows its own object
)

// Create implements Store.
func (s *S3) Create(ctx context.Context, name string, data []byte) error {
	return s.run(ctx, "create", name, func(api *s3.Client) error {
		attempts, word := 0, rand.Text()
		_, err := api.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &s.place.bucket, Key: s.key(name), Body: bytes.NewReader(data), IfNoneMatch: aws.String("*"),
			ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c, Metadata: map[string]string{s3Word: word},
		}, countAttempts(&attempts))
		if code(err) != "PreconditionFailed" {
			return err
		}
		if attempts > 1 {
			own, err := s.isOwn(ctx, api, name, word)
			if own || err != nil {
				return err
			}
		}
		return ErrExists
	})
}

// isOwn says whether the object that stands is that of the write with this word.
func (s *S3) isOwn(ctx context.Context, api *s3.Client, name, word string) (bool, error) {
	out, err := s.head(ctx, api, name)
	return err == nil && out.Metadata[s3Word] == word, err
}

// countAttempts counts how often a request is sent.
func countAttempts(n *int) func(*s3.Options) {
	return s3.WithAPIOptions(func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("CountAttempts",
			func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
				*n++
				return next.HandleFinalize(ctx, in)
			}), "Retry", middleware.After)
	})
}

// Put implements Store. The hook Synced of a trace is called if the object has several parts: a smaller one becomes
// durable and visible in one step. It holds two parts of 8 MiB in memory.
func (s *S3) Put(ctx context.Context, name string, write func(io.Writer) error) error {
	return s.run(ctx, "write", name, func(api *s3.Client) (err error) {
		u := &s3Upload{s: s, api: api, ctx: ctx, name: name, word: rand.Text(), buf: make([]byte, 0, 64<<10)}
		done := false
		defer func() {
			if !done {
				err = errors.Join(err, u.abort())
			}
		}()
		if err := errors.Join(write(u), u.failed); err != nil {
			return err
		}
		trace := traceOf(ctx)
		trace.Written()
		if u.id == nil {
			err = u.putWhole()
		} else {
			err = u.finish(trace)
		}
		if err != nil {
			return err
		}
		done = true
		trace.Visible()
		return nil
	})
}

// s3Upload is one object that is being written.
type s3Upload struct {
	s    *S3
	api  *s3.Client
	ctx  context.Context
	name string
	word string

	buf    []byte  // the part that is being filled
	spare  []byte  // the buffer of the part that is being sent
	id     *string // of the multipart upload, nil before the first part is sent
	parts  []types.CompletedPart
	failed error      // of a Write: no later one mends it
	flight chan error // gives how the part that is being sent ended; nil if there is none
}

// Write gathers parts and sends each once more bytes follow it.
func (u *s3Upload) Write(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(u.buf) == s3PartBytes && u.failed == nil {
			u.failed = u.send()
		}
		if u.failed != nil {
			return n, u.failed
		}
		m := min(len(p)-n, s3PartBytes-len(u.buf))
		u.buf = append(u.buf, p[n:n+m]...)
		n += m
	}
	return n, nil
}

// send begins to send the part at hand once the one before has been sent.
func (u *s3Upload) send() error {
	if err := u.wait(); err != nil {
		return err
	}
	if len(u.parts) == s3MaxParts {
		return fmt.Errorf("it has more than %d parts of %d MiB, which no object of S3 may; write smaller files", s3MaxParts, s3PartBytes>>20)
	}
	if u.id == nil {
		out, err := u.api.CreateMultipartUpload(u.ctx, &s3.CreateMultipartUploadInput{
			Bucket: &u.s.place.bucket, Key: u.s.key(u.name), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
			Metadata: map[string]string{s3Word: u.word},
		})
		if err != nil {
			return err
		}
		u.id = out.UploadId
	}
	data, number := u.buf, aws.Int32(int32(len(u.parts)+1))
	u.parts = append(u.parts, types.CompletedPart{PartNumber: number})
	u.buf, u.spare = u.spare[:0], data
	part, flight := &u.parts[len(u.parts)-1], make(chan error, 1)
	u.flight = flight
	go func() {
		out, err := u.api.UploadPart(u.ctx, &s3.UploadPartInput{
			Bucket: &u.s.place.bucket, Key: u.s.key(u.name), UploadId: u.id, PartNumber: number,
			Body: bytes.NewReader(data), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
		})
		if err == nil {
			part.ETag, part.ChecksumCRC32C = out.ETag, out.ChecksumCRC32C
		}
		flight <- err
	}()
	return nil
}

// wait waits for the part that is being sent.
func (u *s3Upload) wait() error {
	if u.flight == nil {
		return nil
	}
	err := <-u.flight
	u.flight = nil
	return err
}

// putWhole stores an object of one part.
func (u *s3Upload) putWhole() error {
	_, err := u.api.PutObject(u.ctx, &s3.PutObjectInput{
		Bucket: &u.s.place.bucket, Key: u.s.key(u.name), Body: bytes.NewReader(u.buf),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c, Metadata: map[string]string{s3Word: u.word},
	})
	return err
}

// finish sends the last part and makes the object of them. If its answer was lost, the object that stands tells.
func (u *s3Upload) finish(trace Trace) error {
	if err := errors.Join(u.send(), u.wait()); err != nil {
		return err
	}
	trace.Synced()
	// Guarantee 1: the object has its name only now that all its parts are durable.
	_, err := u.api.CompleteMultipartUpload(u.ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &u.s.place.bucket, Key: u.s.key(u.name), UploadId: u.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
	})
	if err == nil || u.ctx.Err() != nil {
		return err
	}
	if own, _ := u.s.isOwn(u.ctx, u.api, u.name, u.word); own {
		return nil
	}
	return err
}

// abort frees the parts of an object that does not come to be, also when the caller has given up.
func (u *s3Upload) abort() error {
	_ = u.wait() // the write has failed already
	if u.id == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), s3AbortTime)
	defer cancel()
	_, err := u.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.s.place.bucket, Key: u.s.key(u.name), UploadId: u.id})
	if code(err) == "NoSuchUpload" {
		return nil
	}
	return err
}
