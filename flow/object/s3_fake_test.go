package object

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// lost is a fault: the request takes place, its answer is lost.
const lost = "lost"

type fakeObject struct {
	data []byte
	etag string
	word string
}

// fakeS3 is a strict service of one bucket "lake" that fails as told.
type fakeS3 struct {
	t      *testing.T
	mu     sync.Mutex
	m      map[string]fakeObject
	parts  map[string]map[int][]byte // by id of the upload
	words  map[string]string
	keys   map[string]string
	faults map[string][]string // by operation: what happens to its next requests, "" if all is well
	log    []string
	n      int
}

var fakeStatus = map[string]int{
	"SlowDown": 503, "InternalError": 500, "AccessDenied": 403, "NoSuchBucket": 404, "PermanentRedirect": 301, "ExpiredToken": 400,
	"ConditionalRequestConflict": 409, "PreconditionFailed": 412, "NoSuchKey": 404, "NoSuchUpload": 404, "BadDigest": 400,
}

// newS3 gives a store in a fake service.
func newS3(t *testing.T) (*S3, *fakeS3) {
	t.Helper()
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "testkey", "AWS_SECRET_ACCESS_KEY": "topsecret", "AWS_CONFIG_FILE": "/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "",
	} {
		t.Setenv(k, v)
	}
	f := &fakeS3{
		t: t, m: map[string]fakeObject{}, parts: map[string]map[int][]byte{}, faults: map[string][]string{},
		words: map[string]string{}, keys: map[string]string{},
	}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	s, err := Open("s3://lake/t?pathstyle=true&endpoint=" + server.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.(*S3).backoff = 1
	t.Cleanup(func() { _ = Close(s) })
	return s.(*S3), f
}

// operation names a request as the service's documentation does.
func operation(r *http.Request) string {
	q, key := r.URL.Query(), strings.TrimPrefix(r.URL.Path, "/lake/")
	switch {
	case r.Method == "GET" && q.Has("uploads"):
		return "ListMultipartUploads"
	case r.Method == "GET" && (key == "" || r.URL.Path == "/lake"):
		return "ListObjectsV2"
	case r.Method == "PUT" && q.Has("partNumber"):
		return "UploadPart"
	case r.Method == "POST" && q.Has("uploads"):
		return "CreateMultipartUpload"
	case r.Method == "POST" && q.Has("uploadId"):
		return "CompleteMultipartUpload"
	case r.Method == "DELETE" && q.Has("uploadId"):
		return "AbortMultipartUpload"
	}
	return map[string]string{"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}[r.Method]
}

func (f *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	op, fault := operation(r), ""
	f.log = append(f.log, op)
	if next := f.faults[op]; len(next) > 0 {
		fault, f.faults[op] = next[0], next[1:]
	}
	switch fault {
	case "":
		f.serve(w, r, op)
	case lost:
		f.serve(httptest.NewRecorder(), r, op)
		panic(http.ErrAbortHandler)
	default:
		_, _ = io.Copy(io.Discard, r.Body) // an answer before the end of the body may get lost
		refuse(w, fault)
	}
}

func refuse(w http.ResponseWriter, code string) {
	w.WriteHeader(fakeStatus[code])
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no</Message></Error>", code)
}

func (f *fakeS3) serve(w http.ResponseWriter, r *http.Request, op string) {
	key, id := strings.TrimPrefix(r.URL.Path, "/lake/"), r.URL.Query().Get("uploadId")
	body, _ := io.ReadAll(r.Body)
	if f.parts[id] == nil && id != "" {
		refuse(w, "NoSuchUpload")
		return
	}
	switch op {
	case "PutObject":
		f.putObject(w, r, body)
	case "GetObject", "HeadObject":
		f.getObject(w, r, key)
	case "DeleteObject":
		delete(f.m, key)
		w.WriteHeader(http.StatusNoContent)
	case "ListObjectsV2":
		f.list(w, r)
	case "ListMultipartUploads":
		fmt.Fprint(w, "<R>")
		for id := range f.parts {
			if key := f.keys[id]; strings.HasPrefix(key, r.URL.Query().Get("prefix")) {
				fmt.Fprintf(w, "<Upload><Key>%s</Key><UploadId>%s</UploadId></Upload>", key, id)
			}
		}
		fmt.Fprint(w, "</R>")
	case "CreateMultipartUpload":
		f.n++
		id := "u" + strconv.Itoa(f.n)
		f.keys[id] = key
		f.parts[id], f.words[id] = map[int][]byte{}, r.Header.Get("X-Amz-Meta-"+s3Word)
		fmt.Fprintf(w, "<R><UploadId>%s</UploadId></R>", id)
	case "UploadPart":
		if f.checked(w, r, body) {
			n, _ := strconv.Atoi(r.URL.Query().Get("partNumber"))
			f.parts[id][n] = body
			w.Header().Set("Etag", fmt.Sprintf(`"p%d"`, n))
		}
	case "CompleteMultipartUpload":
		f.complete(w, key, id, body)
	case "AbortMultipartUpload":
		delete(f.parts, id)
		w.WriteHeader(http.StatusNoContent)
	}
}

// checked checks the checksum that every body must carry.
func (f *fakeS3) checked(w http.ResponseWriter, r *http.Request, body []byte) bool {
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	want := base64.StdEncoding.EncodeToString(sum)
	if r.Header.Get("X-Amz-Checksum-Crc32c") != want {
		refuse(w, "BadDigest")
		return false
	}
	w.Header().Set("X-Amz-Checksum-Crc32c", want)
	return true
}

func (f *fakeS3) store(key, word string, data []byte) {
	f.n++
	f.m[key] = fakeObject{data: data, word: word, etag: fmt.Sprintf(`"e%d"`, f.n)}
}

func (f *fakeS3) putObject(w http.ResponseWriter, r *http.Request, body []byte) {
	key := strings.TrimPrefix(r.URL.Path, "/lake/")
	if _, taken := f.m[key]; taken && r.Header.Get("If-None-Match") == "*" {
		refuse(w, "PreconditionFailed")
		return
	}
	if f.checked(w, r, body) {
		f.store(key, r.Header.Get("X-Amz-Meta-"+s3Word), body)
	}
}

func (f *fakeS3) getObject(w http.ResponseWriter, r *http.Request, key string) {
	o, ok := f.m[key]
	match := r.Header.Get("If-Match")
	switch {
	case !ok:
		refuse(w, "NoSuchKey")
	case match != "" && match != o.etag:
		refuse(w, "PreconditionFailed")
	default:
		w.Header().Set("Etag", o.etag)
		w.Header().Set("X-Amz-Meta-"+s3Word, o.word)
		r.Header.Del("If-Match")
		data, status := o.data, http.StatusOK
		var from, to int
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); err == nil {
			data, status = data[min(from, len(data)):min(to+1, len(data))], http.StatusPartialContent
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		w.WriteHeader(status)
		if r.Method != "HEAD" {
			_, _ = w.Write(data)
		}
	}
}

// list gives two keys at a time.
func (f *fakeS3) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var keys []string
	for key := range f.m {
		if strings.HasPrefix(key, q.Get("prefix")) && key > q.Get("continuation-token") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	fmt.Fprint(w, "<R>")
	if len(keys) > 2 {
		keys = keys[:2]
		fmt.Fprintf(w, "<IsTruncated>true</IsTruncated><NextContinuationToken>%s</NextContinuationToken>", keys[1])
	}
	for _, key := range keys {
		fmt.Fprintf(w, "<Contents><Key>%s</Key><Size>%d</Size></Contents>", key, len(f.m[key].data))
	}
	fmt.Fprint(w, "</R>")
}

func (f *fakeS3) complete(w http.ResponseWriter, key, id string, body []byte) {
	var in struct {
		Part []struct{ PartNumber int }
	}
	if err := xml.Unmarshal(body, &in); err != nil || len(in.Part) != len(f.parts[id]) {
		f.t.Errorf("complete: %d parts of %d, %v", len(in.Part), len(f.parts[id]), err)
	}
	var data bytes.Buffer
	for _, p := range in.Part {
		data.Write(f.parts[id][p.PartNumber])
	}
	f.store(key, f.words[id], data.Bytes())
	delete(f.parts, id)
	fmt.Fprint(w, "<R><ETag>x</ETag></R>")
}
