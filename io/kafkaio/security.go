package kafkaio

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// TLS says how connections are encrypted. The zero value verifies brokers by the system's authorities.
type TLS struct {
	// CA is the path of a PEM file with the authorities to trust. Default: the system's.
	CA string
	// Cert and Key are the paths of PEM files that show who the client is. Default none.
	Cert, Key string
	// ServerName is the name to find in the broker's certificate. Default: the host of its address.
	ServerName string
	// Insecure accepts every certificate, so that anybody in between can read and change what is sent.
	Insecure bool
}

// SASL says who the client is. Secrets are references, resolved when a connection is made: "env:NAME" is the content of
// an environment variable, "file:PATH" that of a file without the line end.
type SASL struct {
	// Mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. Required.
	Mechanism string
	// User is the name, or a reference to it. Required.
	User string
	// Password is a reference. Required.
	Password string
}

func (t *TLS) validate() error {
	if t == nil {
		return nil
	}
	if (t.Cert == "") != (t.Key == "") {
		return errors.New("TLS: Cert and Key go together")
	}
	return nil
}

func (t *TLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName, InsecureSkipVerify: t.Insecure} //nolint:gosec // asked for by name
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("kafkaio: TLS.CA: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kafkaio: TLS.CA: no certificate in %s", t.CA)
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("kafkaio: TLS.Cert and TLS.Key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

func (s *SASL) validate() error {
	if s == nil {
		return nil
	}
	var errs []error
	switch s.Mechanism {
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
	default:
		errs = append(errs, fmt.Errorf("SASL: Mechanism is %q; it must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", s.Mechanism))
	}
	if s.User == "" {
		errs = append(errs, errors.New("SASL: User is required"))
	}
	if !isReference(s.Password) {
		errs = append(errs, errors.New("SASL: Password must be a reference, env:NAME or file:PATH, so that the secret itself is stored nowhere"))
	}
	return errors.Join(errs...)
}

func (s *SASL) option() (kgo.Opt, error) {
	user := s.User
	if isReference(user) {
		var err error
		if user, err = resolve("SASL.User", user); err != nil {
			return nil, err
		}
	}
	password, err := resolve("SASL.Password", s.Password)
	if err != nil {
		return nil, err
	}
	switch s.Mechanism {
	case "SCRAM-SHA-256":
		return kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha256Mechanism()), nil
	case "SCRAM-SHA-512":
		return kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()), nil
	}
	return kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism()), nil
}

func isReference(s string) bool {
	return strings.HasPrefix(s, "env:") || strings.HasPrefix(s, "file:")
}

// resolve gives what a reference stands for. Errors name the reference, never the secret.
func resolve(field, ref string) (string, error) {
	if name, ok := strings.CutPrefix(ref, "env:"); ok {
		v, ok := os.LookupEnv(name)
		if !ok {
			return "", fmt.Errorf("kafkaio: %s: %w: environment variable %s is not set", field, ErrSecret, name)
		}
		return v, nil
	}
	path := strings.TrimPrefix(ref, "file:")
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("kafkaio: %s: %w: %w", field, ErrSecret, err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}
