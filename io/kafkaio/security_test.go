package kafkaio

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/twmb/franz-go/pkg/kfake"
)

// certificate makes one that signs itself, for 127.0.0.1, and the PEM file of it.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, path
}

func TestTLS(t *testing.T) {
	cert, ca := certificate(t)
	_, other := certificate(t)
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "t"), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask := func(o *TLS) ([]flow.Partition, error) {
		return mustSource(t, Options{Brokers: c.ListenAddrs(), Topics: []string{"t"}, Schema: schema, TLS: o}).Partitions(ctx(t))
	}
	for _, good := range []*TLS{{CA: ca}, {Insecure: true}} {
		if parts, err := ask(good); err != nil || len(parts) != 2 {
			t.Errorf("%+v: %v, %v", good, parts, err)
		}
	}
	for _, bad := range []*TLS{{}, {CA: other}, {CA: ca, ServerName: "elsewhere"}} {
		if _, err := ask(bad); err == nil || !strings.Contains(err.Error(), "check Options.TLS") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := ask(&TLS{CA: "/nowhere"}); err == nil || !strings.Contains(err.Error(), "TLS.CA") {
		t.Error(err)
	}
}

func TestSecretsAreResolvedByReference(t *testing.T) {
	t.Setenv("MILLRACE_TEST_SECRET", " a b ")
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("x y\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{"env:MILLRACE_TEST_SECRET": " a b ", "file:" + path: "x y"} {
		if got, err := resolve("SASL.Password", ref); err != nil || got != want {
			t.Errorf("%s: %q, %v", ref, got, err)
		}
	}
	_, err := resolve("SASL.Password", "file:"+path+"2")
	says(t, err, ErrSecret, "SASL.Password", path+"2")
}

// Mistakes in options are mistakes of the graph, at the user's line.
func TestMistakesAreGraphErrors(t *testing.T) {
	_, err := flow.Build("test", func(p *flow.Pipeline) {
		if in := Read(p, "in", Options{Schema: schema}); in.Rows.Valid() {
			t.Error("the rows are valid")
		}
	})
	if err == nil || !strings.Contains(err.Error(), "security_test.go:") || !strings.Contains(err.Error(), "Brokers is required") ||
		!strings.Contains(err.Error(), "Topics is required") {
		t.Error(err)
	}
}
