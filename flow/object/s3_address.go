package object

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// s3Place is what an address of scheme s3 says.
type s3Place struct {
	bucket    string
	prefix    string // of all keys: empty, or ending with a slash
	endpoint  string // empty: Amazon's
	region    string // empty: as the AWS configuration says
	pathStyle bool
}

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func openS3(u *url.URL) (Store, error) {
	p, err := parseS3(u)
	if err != nil {
		return nil, fmt.Errorf("object: open a store: an S3 address is s3://bucket/prefix?endpoint=...&region=...&pathstyle=true: %w", err)
	}
	return &S3{place: p, backoff: s3MaxBackoff}, nil
}

func parseS3(u *url.URL) (s3Place, error) {
	p := s3Place{bucket: u.Host}
	if u.User != nil {
		return p, errors.New("it has no user and no password; credentials come from the environment or from the AWS configuration")
	}
	if !bucketName.MatchString(p.bucket) {
		return p, fmt.Errorf("%q is no name of a bucket", p.bucket)
	}
	if u.Fragment != "" {
		return p, errors.New("it has no #; write %23 for one in a name")
	}
	if p.prefix = strings.Trim(u.Path, "/"); p.prefix != "" {
		if !fs.ValidPath(p.prefix) {
			return p, fmt.Errorf("%w: the path has no empty, . or .. segments", ErrName)
		}
		p.prefix += "/"
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return p, errors.New("what follows the ? is not key=value&key=value")
	}
	for key, values := range query {
		if len(values) > 1 {
			return p, fmt.Errorf("%s is given twice", key)
		}
		if err := p.set(key, values[0]); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p *s3Place) set(key, value string) (err error) {
	switch key {
	case "region":
		p.region = value
	case "pathstyle":
		if p.pathStyle, err = strconv.ParseBool(value); err != nil {
			return errors.New("pathstyle is true or false")
		}
	case "endpoint":
		e, err := url.Parse(value)
		if err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Host == "" || e.User != nil || e.RawQuery != "" || e.Fragment != "" {
			return errors.New("endpoint is http://host:port or https://host, without a user")
		}
		p.endpoint = strings.TrimSuffix(value, "/")
	default:
		return fmt.Errorf("%q is no option; there are endpoint, region and pathstyle", key)
	}
	return nil
}

func (p s3Place) url() string {
	query := url.Values{}
	for key, value := range map[string]string{"endpoint": p.endpoint, "region": p.region} {
		if value != "" {
			query.Set(key, value)
		}
	}
	if p.pathStyle {
		query.Set("pathstyle", "true")
	}
	return (&url.URL{Scheme: "s3", Host: p.bucket, Path: "/" + strings.TrimSuffix(p.prefix, "/"), RawQuery: query.Encode()}).String()
}

// sameS3 checks that two addresses, of which one or both are of scheme s3, lie in one bucket, a not below the whole of it.
func sameS3(a, b string) error {
	var places [2]s3Place
	for i, address := range []string{a, b} {
		store, err := Open(address)
		if err != nil {
			return err
		}
		s, ok := store.(*S3)
		if !ok {
			return fmt.Errorf("object: one place is %s, the other is no bucket of S3: staging and destination lie in one bucket; "+
				"give both as s3://... or none", s3Of(a, b))
		}
		places[i] = s.place
	}
	x, y := places[0], places[1]
	if x.bucket != y.bucket || x.endpoint != y.endpoint {
		return fmt.Errorf("object: %s and %s: not in one bucket: choose places in one bucket of one endpoint", x.url(), y.url())
	}
	if x.prefix != y.prefix && strings.HasPrefix(x.prefix, y.prefix) {
		return fmt.Errorf("object: %s lies inside %s, whose readers would see it: choose a folder beside it", x.url(), y.url())
	}
	return nil
}

// s3Of gives the one of two addresses that is of scheme s3, without its options.
func s3Of(a, b string) string {
	if !isS3(a) {
		a = b
	}
	a, _, _ = strings.Cut(a, "?")
	return a
}

func isS3(address string) bool { return strings.HasPrefix(address, "s3://") }

// Join gives the address of a place below an address. The options of an address with a scheme stay behind the path.
func Join(address, name string) string {
	query := ""
	if strings.Contains(address, "://") {
		if i := strings.IndexByte(address, '?'); i >= 0 {
			address, query = address[:i], address[i:]
		}
	}
	return strings.TrimSuffix(address, "/") + "/" + name + query
}

// code gives the code by which the service names an error, "" if the service has not answered.
func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

var s3Remedies = map[string]string{
	"NoSuchBucket":   "create the bucket, or correct its name in the address",
	"AccessDenied":   "allow this user s3:GetObject, PutObject, DeleteObject, AbortMultipartUpload, ListBucket and ListBucketMultipartUploads there",
	"ExpiredToken":   "the credentials have expired; renew them",
	"InvalidToken":   "the session token is not valid; renew the credentials",
	"NoSuchUpload":   "another process has ended this upload; let one job only write there",
	"NotImplemented": "this service lacks what is needed: conditional PutObject, multipart uploads, checksums",

	"InvalidAccessKeyId":                 "the service does not know the access key; correct the credentials (AWS_ACCESS_KEY_ID or the AWS profile)",
	"SignatureDoesNotMatch":              "the secret key or the region is wrong; correct the credentials or ?region=",
	"PermanentRedirect":                  "the bucket lies in another region; correct ?region= or AWS_REGION",
	"AuthorizationHeaderMalformed":       "the bucket lies in another region; correct ?region= or AWS_REGION",
	"IllegalLocationConstraintException": "the bucket lies in another region; correct ?region= or AWS_REGION",
	"RequestTimeTooSkewed":               "the clock of this machine is wrong; set it",
}

func (s *S3) full(name string) string { return "s3://" + s.place.bucket + "/" + s.place.prefix + name }

func (s *S3) explain(op, name string, err error) error {
	if err == nil {
		return nil
	}
	answer, _ := errors.AsType[*awshttp.ResponseError](err)
	unsent, _ := errors.AsType[*smithyhttp.RequestSendError](err)
	status := 0
	if answer != nil {
		status = answer.HTTPStatusCode()
	}
	why := code(err)
	remedy := s3Remedies[why]
	switch {
	case why == "NoSuchKey" || why == "NotFound" && status == http.StatusNotFound:
		return fmt.Errorf("object: %s %s: %w (%w)", op, s.full(name), ErrNotFound, err)
	case remedy != "":
	case status == http.StatusMovedPermanently:
		remedy = s3Remedies["PermanentRedirect"]
	case status == http.StatusForbidden:
		remedy = s3Remedies["AccessDenied"]
	case strings.Contains(err.Error(), "get credentials"):
		remedy = "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role of this machine"
	case unsent != nil && s.place.endpoint != "":
		remedy = "see that " + s.place.endpoint + " is up and reachable"
	}
	if remedy == "" {
		return fmt.Errorf("object: %s %s: %w", op, s.full(name), err)
	}
	return fmt.Errorf("object: %s %s: %w; %s", op, s.full(name), err, remedy)
}
