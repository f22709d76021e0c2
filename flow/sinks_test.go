package flow

import "testing"

func TestSinkPlace(t *testing.T) {
	for _, c := range []struct{ url, staging, want string }{
		{"lake/x/trips", "", "lake/x/.millrace/job"},
		{"/data/lake/trips/", "", "/data/lake/.millrace/job"},
		{"/trips", "", "/.millrace/job"},
		{"file:///trips", "", "file:///.millrace/job"},
		{"file:///lake/trips/", "", "file:///lake/.millrace/job"},
		{"s3://b/lake/trips", "", "s3://b/lake/.millrace/job"},
		{"s3://b/trips?region=eu-central-1", "", "s3://b/.millrace/job?region=eu-central-1"},
		{"s3://b/lake/trips/?endpoint=http://127.0.0.1:7070", "", "s3://b/lake/.millrace/job?endpoint=http://127.0.0.1:7070"},
		{"s3://b?region=eu-central-1", "", "s3://b/.millrace/job?region=eu-central-1"},
		{"s3://b/trips", "s3://b/work/?region=eu-central-1", "s3://b/work/job?region=eu-central-1"},
		{"lake/trips", "/what?/x", "/what?/x/job"},
	} {
		if got := SinkPlace(SinkSpec{URL: c.url, Staging: c.staging}, "job"); got != c.want {
			t.Errorf("%s, staging %q: %s, want %s", c.url, c.staging, got, c.want)
		}
	}
}
