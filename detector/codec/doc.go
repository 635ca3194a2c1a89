// Package codec writes and reads the canonical bytes of what the detector keeps:
// numbers, text, and values with an encoding of their own, one after the other.
//
// The package knows the form of numbers. It must not know what they mean, nor in
// which order they come: each type says so itself.
//
// Equal values give equal bytes, on every machine, so that replays can be compared
// byte for byte. Whatever bytes are read, nothing panics, no more is asked for than
// they can hold, and no float is NaN or infinite.
package codec
