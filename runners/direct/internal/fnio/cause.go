package fnio

import (
	"errors"
	"reflect"
	"unsafe"
)

// doFnError is an error of user code. The SDK's own type for it formats the cause but does not unwrap to it.
type doFnError struct {
	shown error // the SDK's error: names step and function
	cause error
}

func (e *doFnError) Error() string { return e.shown.Error() }

func (e *doFnError) Unwrap() []error { return []error{e.shown, e.cause} }

// cause makes errors.Is and errors.As see the error that a DoFn returned.
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
		inner := *(*error)(unsafe.Pointer(f.UnsafeAddr()))
		return &doFnError{shown: err, cause: inner}
	}
	return err
}
