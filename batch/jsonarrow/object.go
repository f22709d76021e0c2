package jsonarrow

import "encoding/json"

// object reads the object that stands here into the children of n. Usually it goes through the fields once, expecting each
// to be the column behind the last one; if exact it first looks for the last value of each name.
func (d *Decoder) object(n *node) *RowError {
	d.objects++
	id := d.objects
	if d.exact {
		return d.exactly(n, id)
	}
	start, next, found := d.pos, 0, 0
	d.pos++
	if d.peek() == '}' {
		d.pos++
		return d.missing(n, id, start)
	}
	for {
		if d.peek() != '"' {
			return d.unexpected("a field name")
		}
		i, at, err := d.field(n, next)
		if err != nil {
			return err
		}
		switch {
		case i < 0:
			err = d.unknown(n, at)
		case n.children[i].seen == id:
			return d.fail(at, "the field came twice")
		default:
			child := &n.children[i]
			child.seen = id
			if err = d.value(child); err != nil {
				return err.in(child.name)
			}
			next, found = i+1, found+1
		}
		if err != nil {
			return err
		}
		switch d.peek() {
		case ',':
			d.pos++
		case '}':
			d.pos++
			if found == len(n.children) {
				return nil
			}
			return d.missing(n, id, start)
		default:
			return d.unexpected("',' or '}'")
		}
	}
}

// field takes a key and its colon, and gives the child it names, or -1, and the place of the key. The child number next is
// looked at first.
func (d *Decoder) field(n *node, next int) (child, at int, err *RowError) {
	at = d.pos
	if next < len(n.children) && n.children[next].quoted != "" && d.word(n.children[next].quoted) {
		child = next
	} else {
		key, err := d.str()
		if err != nil {
			return 0, 0, err
		}
		var ok bool
		if child, ok = n.index[string(key)]; !ok {
			child = -1
		}
	}
	return child, at, d.expect(':')
}

// exactly is object with two looks: of several fields of one name the last one is decoded.
func (d *Decoder) exactly(n *node, id uint64) *RowError {
	start := d.pos
	err := d.members(func(key []byte, at int) *RowError {
		i, ok := n.index[string(key)]
		if !ok {
			return d.unknown(n, at)
		}
		child := &n.children[i]
		d.peek()
		child.seen, child.at = id, d.pos
		if err := d.skip(d.o.MaxDepth); err != nil {
			return err.in(child.name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	end := d.pos
	for i := range n.children {
		child := &n.children[i]
		if child.seen != id {
			continue
		}
		d.pos = child.at
		if err := d.value(child); err != nil {
			return err.in(child.name)
		}
	}
	d.pos = end
	return d.missing(n, id, start)
}

// missing makes the fields null that the object at start did not have.
func (d *Decoder) missing(n *node, id uint64, start int) *RowError {
	for i := range n.children {
		child := &n.children[i]
		if child.seen == id {
			continue
		}
		if child.required {
			return d.fail(start, "the field is missing, and the column takes no null").in(child.name)
		}
		child.col.Null()
	}
	return nil
}

// unknown takes the value of a field that n does not have. Its key is at at.
func (d *Decoder) unknown(n *node, at int) *RowError {
	switch d.o.Unknown {
	case Reject:
		s := scanner{data: d.data, pos: at}
		key, err := s.str()
		if err != nil {
			return err
		}
		return d.fail(at, "there is no column of the name %s (Unknown: reject)", shown(key))
	case Capture:
		return d.capture(n, at)
	}
	return d.skip(d.o.MaxDepth)
}

// capture adds a field to rest.
func (d *Decoder) capture(n *node, at int) *RowError {
	s := scanner{data: d.data, pos: at}
	key, err := s.str()
	if err != nil {
		return err
	}
	d.peek()
	from := d.pos
	if err := d.skip(d.o.MaxDepth); err != nil {
		return err
	}
	open := byte(',')
	if len(d.rest) == 0 {
		open = '{'
	}
	d.rest = append(d.rest, open)
	if n.parent == nil && n == &d.root {
		d.rest = append(d.rest, d.data[at:s.pos]...)
	} else {
		name, _ := json.Marshal(n.pointer() + "/" + pointerEscape.Replace(string(key))) // cannot fail: a string
		d.rest = append(d.rest, name...)
	}
	d.rest = append(d.rest, ':')
	d.rest = append(d.rest, d.data[from:d.pos]...)
	return nil
}
