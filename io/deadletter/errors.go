package deadletter

import "errors"

// ErrDamaged: what was read is not what Write has written.
var ErrDamaged = errors.New("damaged dead letters")
