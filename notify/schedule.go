package notify

import (
	"hash/fnv"
	"net/http"
	"strconv"
	"time"
)

// schedule is how long to wait before each attempt, as Standard Webhooks 1.0.0
// advises. After the last one the delivery is dead and its endpoint disabled.
var schedule = []time.Duration{
	0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour,
	20 * time.Hour, 24 * time.Hour,
}

// jitter is by how much a wait may be longer, so that deliveries that failed
// together do not come again together.
const jitter = 0.1

// backoff returns how long to wait after so many attempts; false when no wait is
// left. The jitter follows from the notice, so that it needs no randomness.
func backoff(waits []time.Duration, notice string, attempts int) (time.Duration, bool) {
	if attempts >= len(waits) {
		return 0, false
	}
	h := fnv.New64a()
	h.Write([]byte(notice))
	h.Write([]byte{byte(attempts)})
	share := float64(h.Sum64()>>11) / (1 << 53)
	wait := waits[attempts]
	return wait + time.Duration(jitter*share*float64(wait)), true
}

// maxRetryAfter bounds what a receiver may ask for: the longest wait of the
// schedule.
const maxRetryAfter = 24 * time.Hour

// retryAfter returns how long a receiver asks to be left alone, 0 when it does
// not say.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	var wait time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// throttles tells whether a status means that the receiver has too much to do.
func throttles(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}
