package store

type opKind uint8

const (
	opSet opKind = iota
	opDelete
	opDeletePrefix
)

type op struct {
	kind opKind
	key  []byte
	val  []byte
}

// large says whether the value lies outside of Pebble in a store on disk.
func (o op) large() bool { return o.kind == opSet && len(o.val) > maxInline }

// Batch collects changes that become durable and visible together. They take effect in the order in which they were added,
// so that a key that is set after its prefix was deleted stays. The zero value is an empty batch. It is not safe for
// concurrent use.
type Batch struct {
	ops   []op
	bytes int
}

// Set gives key the value val. The key is copied; val is kept and must never be changed afterwards.
func (b *Batch) Set(key, val []byte) { b.add(opSet, key, val) }

// Delete removes key. A key that is not there is no error.
func (b *Batch) Delete(key []byte) { b.add(opDelete, key, nil) }

// DeletePrefix removes every key that starts with prefix; the empty prefix removes all keys.
func (b *Batch) DeletePrefix(prefix []byte) { b.add(opDeletePrefix, prefix, nil) }

// Len returns the number of changes.
func (b *Batch) Len() int { return len(b.ops) }

// Bytes returns the size of all keys and values added.
func (b *Batch) Bytes() int { return b.bytes }

func (b *Batch) add(kind opKind, key, val []byte) {
	b.ops = append(b.ops, op{kind: kind, key: append([]byte(nil), key...), val: val})
	b.bytes += len(key) + len(val)
}

// Pending is a commit on its way to disk.
type Pending struct {
	done chan struct{}
	err  error // written before done is closed
}

func newPending() *Pending { return &Pending{done: make(chan struct{})} }

func (p *Pending) resolve(err error) {
	p.err = err
	close(p.done)
}

// Done is closed when the outcome is known.
func (p *Pending) Done() <-chan struct{} { return p.done }

// Wait blocks until the outcome is known. Nil says that the batch is durable and visible. An error says that it may or may
// not have reached the disk: which of the two shows when the store is opened again. A store that failed once stays failed,
// and every later commit returns the same error.
func (p *Pending) Wait() error {
	<-p.done
	return p.err
}
