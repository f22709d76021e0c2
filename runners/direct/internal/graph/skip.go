package graph

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/exec"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/graphx"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
)

const urnKV = "beam:coder:kv:v1"

// Skipper returns the length of the encoded value at the start of b, -1 if b does not begin with one.
type Skipper func(b []byte) int

// NewSkipper returns a Skipper for coder id. Simple coders are skipped by their lengths, all others by decoding.
func NewSkipper(coders map[string]*pipepb.Coder, id string) (Skipper, error) {
	c, ok := coders[id]
	if !ok {
		return nil, fmt.Errorf("coder %q is not defined", id)
	}
	switch c.GetSpec().GetUrn() {
	case "beam:coder:bytes:v1", "beam:coder:string_utf8:v1", "beam:coder:length_prefix:v1":
		return skipPrefixed, nil
	case "beam:coder:varint:v1":
		return skipVarint, nil
	case "beam:coder:double:v1":
		return skipFixed(8), nil
	case "beam:coder:bool:v1":
		return skipFixed(1), nil
	case urnKV:
		return skipPair(coders, c.GetComponentCoderIds())
	default:
		return skipDecoded(coders, id)
	}
}

func skipPrefixed(b []byte) int {
	l, n := binary.Uvarint(b)
	if n <= 0 || l > uint64(len(b)-n) {
		return -1
	}
	return n + int(l)
}

func skipVarint(b []byte) int {
	if _, n := binary.Uvarint(b); n > 0 {
		return n
	}
	return -1
}

func skipFixed(n int) Skipper {
	return func(b []byte) int {
		if len(b) < n {
			return -1
		}
		return n
	}
}

func skipPair(coders map[string]*pipepb.Coder, parts []string) (Skipper, error) {
	if len(parts) != 2 {
		return nil, fmt.Errorf("a key-value coder has %d parts", len(parts))
	}
	k, err := NewSkipper(coders, parts[0])
	if err != nil {
		return nil, err
	}
	v, err := NewSkipper(coders, parts[1])
	if err != nil {
		return nil, err
	}
	return func(b []byte) int {
		n := k(b)
		if n < 0 {
			return -1
		}
		m := v(b[n:])
		if m < 0 {
			return -1
		}
		return n + m
	}, nil
}

// skipDecoded decodes with the SDK's own decoder and counts what it took: the plans use the same decoder.
func skipDecoded(coders map[string]*pipepb.Coder, id string) (Skipper, error) {
	c, err := graphx.NewCoderUnmarshaller(coders).Coder(id)
	if err != nil {
		return nil, fmt.Errorf("coder %q: %w", id, err)
	}
	dec := exec.MakeElementDecoder(c)
	return func(b []byte) int {
		r := bytes.NewReader(b)
		if _, err := dec.Decode(r); err != nil {
			return -1
		}
		return len(b) - r.Len()
	}, nil
}
