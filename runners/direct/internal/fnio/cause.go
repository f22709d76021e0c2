package fnio

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"
)

// DoFnError is an error that a DoFn returned.
type DoFnError struct {
	Step string // unique name of the transform
	DoFn string
	Err  error
}

// Error names the step.
func (e *DoFnError) Error() string { return fmt.Sprintf("step %q: %s: %v", e.Step, e.DoFn, e.Err) }

// Unwrap returns what the DoFn returned.
func (e *DoFnError) Unwrap() error { return e.Err }

// cause returns what made Execute fail, without the text of the plan that the SDK wraps it in. The SDK's own type for a
// DoFn's error is not exported and does not unwrap; a test fails if it changes.
func cause(err error) error {
	for e := err; e != nil; e = errors.Unwrap(e) {
		v := reflect.ValueOf(e)
		if v.Kind() != reflect.Pointer || v.Type().Elem().Name() != "doFnError" {
			continue
		}
		f := v.Elem().FieldByName("err")
		if !f.IsValid() || f.Type() != reflect.TypeFor[error]() {
			return err
		}
		return &DoFnError{
			Step: v.Elem().FieldByName("pid").String(),
			DoFn: v.Elem().FieldByName("doFn").String(),
			Err:  *(*error)(unsafe.Pointer(f.UnsafeAddr())), // of the type that was checked above
		}
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
