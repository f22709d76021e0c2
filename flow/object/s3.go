package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	s3Attempts      = 8
	s3MaxBackoff    = 5 * time.Second
	s3AttemptTime   = 5 * time.Minute  // of one attempt with its bodies
	s3HeaderTime    = 30 * time.Second // until an answer begins
	s3IdlePerHost   = 16
	s3ReadBytes     = 8 << 20 // asked for in one request
	s3ReadsOfAnswer = 4       // times that an answer which broke off is asked for
)

// S3 is a Store in a bucket of Amazon S3 or of a service that speaks its protocol: below the prefix of its address. The
// service must know If-None-Match on PutObject, and show an object as soon as it is stored.
//
//	Create: PutObject with If-None-Match: *                             a taken name stays what it is
//	Put:    PutObject, or parts and CompleteMultipartUpload             a taken name is replaced in one step
//
// Each write carries a word of its own in the object's metadata. A request that was repeated because its answer got lost
// knows by that word whether the object that stands is its own.
type S3 struct {
	place   s3Place
	backoff time.Duration // at most, between attempts

	mu     sync.Mutex
	api    *s3.Client
	client *http.Client
}

// URL gives the root as s3://bucket/prefix with the options that were given.
func (s *S3) URL() string { return s.place.url() }

// Close frees idle connections.
func (s *S3) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
	return nil
}

// connect gives the client, with the credentials and the settings that the AWS tools use.
func (s *S3) connect(ctx context.Context) (*s3.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.api != nil {
		return s.api, nil
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration: %w", err)
	}
	if s.place.region != "" {
		cfg.Region = s.place.region
	}
	if cfg.Region == "" {
		return nil, errors.New("no region is known; add ?region=... to the address or set AWS_REGION")
	}
	transport := awshttp.NewBuildableClient().GetTransport()
	if b, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
		transport = b.GetTransport() // with AWS_CA_BUNDLE
	}
	transport.ResponseHeaderTimeout = s3HeaderTime
	transport.MaxIdleConnsPerHost = s3IdlePerHost
	s.client = &http.Client{
		Transport: transport, Timeout: s3AttemptTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	s.api = s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.HTTPClient, o.Retryer, o.UsePathStyle = s.client, s.retryer(), s.place.pathStyle
		o.DisableLogOutputChecksumValidationSkipped = true // a range and an object of several parts have none
		if s.place.endpoint != "" {
			o.BaseEndpoint = aws.String(s.place.endpoint)
		}
	})
	return s.api, nil
}

func (s *S3) retryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = s3Attempts, s.backoff
		o.Backoff = retry.NewExponentialJitterBackoff(s.backoff)
		o.Retryables = append(slices.Clone(o.Retryables), retry.RetryableErrorCode{
			Codes: map[string]struct{}{"ConditionalRequestConflict": {}, "OperationAborted": {}},
		})
	})
}

func (s *S3) key(name string) *string { return aws.String(s.place.prefix + name) }

// run checks a name, connects and runs one operation on it.
func (s *S3) run(ctx context.Context, op, name string, do func(*s3.Client) error) error {
	if err := checkName(ctx, name); err != nil {
		return err
	}
	api, err := s.connect(ctx)
	if err == nil {
		err = do(api)
	}
	return s.explain(op, name, err)
}

// Get implements Store.
func (s *S3) Get(ctx context.Context, name string) ([]byte, error) {
	var data []byte
	err := s.run(ctx, "read", name, func(api *s3.Client) error {
		var err error
		for range s3ReadsOfAnswer {
			var out *s3.GetObjectOutput
			if out, err = api.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.place.bucket, Key: s.key(name)}); err != nil {
				return err
			}
			data, err = io.ReadAll(out.Body)
			if err = errors.Join(err, out.Body.Close()); err == nil || ctx.Err() != nil {
				break
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return data, nil
}

// head asks for what is known of an object. An answer to HEAD does not say why it is a refusal: GET does.
func (s *S3) head(ctx context.Context, api *s3.Client, name string) (*s3.HeadObjectOutput, error) {
	out, err := api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.place.bucket, Key: s.key(name)})
	if err == nil || ctx.Err() != nil {
		return out, err
	}
	got, why := api.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.place.bucket, Key: s.key(name), Range: aws.String("bytes=0-0")})
	if why != nil {
		return nil, why
	}
	return nil, errors.Join(err, got.Body.Close())
}

// Stat implements Store.
func (s *S3) Stat(ctx context.Context, name string) (int64, error) {
	var size int64
	err := s.run(ctx, "look at", name, func(api *s3.Client) error {
		out, err := s.head(ctx, api, name)
		if err == nil {
			size = aws.ToInt64(out.ContentLength)
		}
		return err
	})
	return size, err
}

// Open implements Store. Reading ends with ctx.
func (s *S3) Open(ctx context.Context, name string) (Reader, error) {
	r := &s3Reader{s: s, name: name}
	err := s.run(ctx, "read", name, func(api *s3.Client) error {
		out, err := s.head(ctx, api, name)
		if err == nil {
			r.api, r.size, r.etag = api, aws.ToInt64(out.ContentLength), out.ETag
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	r.ctx, r.cancel = context.WithCancel(ctx)
	return r, nil
}

// s3Reader reads one object by ranges. An object that is replaced meanwhile is an error, never a mixture.
type s3Reader struct {
	s      *S3
	api    *s3.Client
	name   string
	size   int64
	etag   *string
	ctx    context.Context
	cancel context.CancelFunc
}

// Size implements Reader.
func (r *s3Reader) Size() int64 { return r.size }

// Close ends what is being read.
func (r *s3Reader) Close() error {
	r.cancel()
	return nil
}

// ReadAt implements io.ReaderAt.
func (r *s3Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("object: read %s: negative offset %d", r.s.full(r.name), off)
	}
	var end error
	if left := max(r.size-off, 0); int64(len(p)) > left {
		p, end = p[:left], io.EOF
	}
	n := 0
	for broken := 0; n < len(p); {
		want := p[n:min(len(p), n+s3ReadBytes)]
		m, whole, err := r.readRange(want, off+int64(n))
		n += m
		if err == nil {
			broken = 0
			continue
		}
		if broken++; whole || broken == s3ReadsOfAnswer || r.ctx.Err() != nil {
			return n, r.s.explain("read", r.name, err)
		}
	}
	return n, end
}

// readRange fills p. It says whether an error is the service's whole answer, not one that broke off.
func (r *s3Reader) readRange(p []byte, off int64) (n int, whole bool, err error) {
	out, err := r.api.GetObject(r.ctx, &s3.GetObjectInput{
		Bucket: &r.s.place.bucket, Key: r.s.key(r.name), IfMatch: r.etag,
		Range: aws.String("bytes=" + strconv.FormatInt(off, 10) + "-" + strconv.FormatInt(off+int64(len(p))-1, 10)),
	})
	if err != nil {
		if code(err) == "PreconditionFailed" {
			err = fmt.Errorf("the object was replaced while it was being read: %w", err)
		}
		return 0, true, err
	}
	n, err = io.ReadFull(out.Body, p)
	return n, false, errors.Join(err, out.Body.Close())
}

// Delete implements Store.
func (s *S3) Delete(ctx context.Context, name string) error {
	return s.run(ctx, "delete", name, func(api *s3.Client) error {
		_, err := api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.place.bucket, Key: s.key(name)})
		if code(err) == "NoSuchKey" {
			return nil
		}
		return err
	})
}

// List implements Store. Keys that are no names, such as those of folders, which end with a slash, are left out.
func (s *S3) List(ctx context.Context, prefix string) ([]Info, error) {
	var list []Info
	err := s.below(ctx, prefix, func(api *s3.Client) error {
		pages := s3.NewListObjectsV2Paginator(api, &s3.ListObjectsV2Input{Bucket: &s.place.bucket, Prefix: s.key(prefix)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return err
			}
			for _, o := range page.Contents {
				name := strings.TrimPrefix(aws.ToString(o.Key), s.place.prefix)
				if checkName(ctx, name) == nil {
					list = append(list, Info{Name: name, Size: aws.ToInt64(o.Size)})
				}
			}
		}
		return ctx.Err()
	})
	slices.SortFunc(list, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return list, err
}

// sweepTemp ends the unfinished multipart uploads below prefix.
func (s *S3) sweepTemp(ctx context.Context, prefix string) (int, error) {
	n := 0
	err := s.below(ctx, prefix, func(api *s3.Client) error {
		in := &s3.ListMultipartUploadsInput{Bucket: &s.place.bucket, Prefix: s.key(prefix)}
		for {
			page, err := api.ListMultipartUploads(ctx, in)
			if err != nil {
				return err
			}
			for _, u := range page.Uploads {
				_, err := api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: in.Bucket, Key: u.Key, UploadId: u.UploadId})
				if err != nil && code(err) != "NoSuchUpload" {
					return err
				}
				n++
			}
			if !aws.ToBool(page.IsTruncated) {
				return nil
			}
			in.KeyMarker, in.UploadIdMarker = page.NextKeyMarker, page.NextUploadIdMarker
		}
	})
	return n, err
}

// below runs an operation on all that is below a prefix.
func (s *S3) below(ctx context.Context, prefix string, do func(*s3.Client) error) error {
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		if err := checkName(ctx, prefix[:i]); err != nil {
			return err
		}
	}
	api, err := s.connect(ctx)
	if err == nil {
		err = do(api)
	}
	return s.explain("list", prefix, err)
}
