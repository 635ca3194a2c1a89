package notify

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/memberwatch/memberwatch"
)

// statusGone disables an endpoint.
const statusGone = http.StatusGone

// maxPause bounds for how long a whole endpoint is left in peace when it
// throttles without saying for how long.
const maxPause = 5 * time.Minute

// drainBytes is how much of an answer is read, so that the connection can be
// used again.
const drainBytes = 64 << 10

// try makes one attempt at a delivery, once there is room for it.
func (c *Courier) try(ctx context.Context, e *memberwatch.Endpoint, j *job) result {
	r := result{job: j}
	select {
	case c.sending <- struct{}{}:
		defer func() { <-c.sending }()
		r.attempt, r.retryAfter = c.send(ctx, e, &j.notice)
	case <-ctx.Done():
		r.attempt.Error = ctx.Err().Error()
	}
	return r
}

// send posts a notice to an endpoint once and says what came of it. A status of
// 2xx is success, whatever follows it.
func (c *Courier) send(ctx context.Context, e *memberwatch.Endpoint, n *memberwatch.Notice) (memberwatch.Attempt, time.Duration) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := c.request(ctx, e, n, began)
	if err != nil {
		return memberwatch.Attempt{Error: err.Error()}, 0
	}
	client := c.public
	if e.AllowPrivate {
		client = c.private
	}
	response, err := client.Do(request)
	a := memberwatch.Attempt{Elapsed: time.Since(began)}
	if err != nil {
		a.Error = c.sendError(ctx, err)
		return a, 0
	}
	defer response.Body.Close()                                           //nolint:errcheck // only read from
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, drainBytes)) // the status says it all
	a.Status = response.StatusCode
	switch {
	case a.Status >= 200 && a.Status < 300:
		return a, 0
	case a.Status >= 300 && a.Status < 400:
		a.Error = fmt.Sprintf("it answered %s, and redirects are not followed", statusName(a.Status))
	default:
		a.Error = "it answered " + statusName(a.Status)
	}
	if throttles(a.Status) {
		return a, retryAfter(response.Header, time.Now())
	}
	return a, 0
}

// statusName writes 503 as 503 Service Unavailable. What the receiver calls it
// stays out of our log.
func statusName(status int) string {
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}

// sendError says why there was no answer, without the URL: it may hold a secret
// of the receiver's.
func (c *Courier) sendError(ctx context.Context, err error) string {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %s", c.timeout)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return err.Error()
}

// request returns the signed message.
func (c *Courier) request(ctx context.Context, e *memberwatch.Endpoint, n *memberwatch.Notice, now time.Time) (*http.Request, error) {
	body, err := c.encoder.Encode(n, e.Payload)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	var signatures []string
	for _, k := range activeKeys(e.Keys, now) {
		signature, err := Sign(k.Secret, n.ID, now, body)
		if err != nil {
			return nil, err
		}
		signatures = append(signatures, signature)
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("User-Agent", strings.TrimSuffix("memberwatch/"+c.options.Version, "/"))
	request.Header.Set(HeaderID, n.ID)
	request.Header.Set(HeaderTimestamp, strconv.FormatInt(now.Unix(), 10))
	request.Header.Set(HeaderSignature, strings.Join(signatures, " "))
	return request, nil
}

// activeKeys are those that have not expired.
func activeKeys(keys []memberwatch.Key, now time.Time) []memberwatch.Key {
	var active []memberwatch.Key
	for _, k := range keys {
		if k.Expires.IsZero() || now.Before(k.Expires) {
			active = append(active, k)
		}
	}
	return active
}

// Ping sends an endpoint a message of its own, once and at once, and returns
// what came of it. It works with disabled endpoints, too.
func (c *Courier) Ping(ctx context.Context, id memberwatch.EndpointID) (memberwatch.Attempt, error) {
	e, err := c.store.Endpoint(id)
	if err != nil {
		return memberwatch.Attempt{}, err
	}
	a, _ := c.send(ctx, &e, &memberwatch.Notice{
		ID: "ping-" + rand.Text(), Type: memberwatch.NoticePing, Subject: "endpoints/" + string(id), Time: time.Now().UTC(),
	})
	return a, nil
}
