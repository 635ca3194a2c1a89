package notify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/memberwatch/memberwatch"
)

// check says what is wrong with options.
func (o *Options) check() error {
	u, err := url.Parse(o.BaseURL)
	switch {
	case o.BaseURL == "" && o.File.Path != "":
		return noBaseURL()
	case o.BaseURL != "" && (err != nil || u.Scheme == "" || u.Host == "" || u.RawQuery != "" || strings.HasSuffix(o.BaseURL, "/")):
		return &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "BASE_URL_INVALID",
			Message: fmt.Sprintf("webhooks.base_url %q is no url to put paths behind", o.BaseURL),
			Hint:    "write it like https://memberwatch.example, without a slash at the end",
		}
	case o.Retention < MinRetention:
		return &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "RETENTION_INVALID",
			Message: fmt.Sprintf("webhooks.retention %s is shorter than %s", o.Retention, MinRetention), Hint: "deliveries are retried for 4 days",
		}
	}
	return o.File.check()
}

// noBaseURL says that messages cannot link to anything.
func noBaseURL() error {
	return &memberwatch.ReasonError{
		Kind: memberwatch.ErrState, Reason: "BASE_URL_MISSING", Message: "messages need a link to the form for the verdict, and webhooks.base_url is not set",
		Hint: "set webhooks.base_url in the config of serve to where people find this service, and start it again",
	}
}

// CreateEndpoint records an endpoint and begins to deliver to it: the notices
// from now on, or all that the journal still has. It returns it with its key.
func (c *Courier) CreateEndpoint(ctx context.Context, e memberwatch.Endpoint, key memberwatch.KeyRequest, fromStart bool) (memberwatch.Endpoint, error) {
	if c.options.BaseURL == "" {
		return e, noBaseURL()
	}
	now := time.Now().UTC()
	k, err := makeKey(key, now)
	if err != nil {
		return e, err
	}
	e.Created, e.Updated, e.Keys = now, now, []memberwatch.Key{k}
	after := int64(0)
	if !fromStart {
		if after, err = c.store.LastNotice(); err != nil {
			return e, err
		}
	}
	c.admin.Lock()
	defer c.admin.Unlock()
	e, err = c.store.CreateEndpoint(ctx, e, after)
	if err != nil {
		return e, err
	}
	c.dispatch(e.ID)
	return e, nil
}

func makeKey(r memberwatch.KeyRequest, now time.Time) (memberwatch.Key, error) {
	secret := r.Secret
	switch {
	case secret != "":
		if err := CheckSecret(secret); err != nil {
			return memberwatch.Key{}, err
		}
	case r.Asymmetric:
		secret = NewPrivateKey()
	default:
		secret = NewSecret()
	}
	return memberwatch.Key{Secret: secret, Public: PublicKey(secret), Created: now}, nil
}

// countedDeliveries is how many deliveries EndpointStatus counts.
const countedDeliveries = 10_000

// Endpoint returns an endpoint and how it fares, or ErrNotFound.
func (c *Courier) Endpoint(_ context.Context, id memberwatch.EndpointID) (memberwatch.EndpointStatus, error) {
	e, err := c.store.Endpoint(id)
	if err != nil {
		return memberwatch.EndpointStatus{}, err
	}
	return c.status(e)
}

func (c *Courier) status(e memberwatch.Endpoint) (s memberwatch.EndpointStatus, err error) {
	s.Endpoint = e
	if s.Waiting, err = c.store.CountDeliveries(e.ID, memberwatch.DeliveryWaiting, countedDeliveries); err != nil {
		return s, err
	}
	s.Dead, err = c.store.CountDeliveries(e.ID, memberwatch.DeliveryDead, countedDeliveries)
	return s, err
}

// Endpoints returns up to limit endpoints that match and come after an id, in
// order of id. A nil match takes all.
func (c *Courier) Endpoints(_ context.Context, after memberwatch.EndpointID, limit int, match func(*memberwatch.Endpoint) bool) ([]memberwatch.EndpointStatus, error) {
	endpoints, err := c.store.Endpoints(after, limit, match)
	if err != nil {
		return nil, err
	}
	all := make([]memberwatch.EndpointStatus, len(endpoints))
	for i := range endpoints {
		if all[i], err = c.status(endpoints[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// UpdateEndpoint changes an endpoint; what was under way to it goes on as it
// began. A revision other than 0 must be the endpoint's: else somebody else has
// changed it, and the error is ErrConflict.
func (c *Courier) UpdateEndpoint(ctx context.Context, id memberwatch.EndpointID, revision int64, change func(e *memberwatch.Endpoint) error) (memberwatch.Endpoint, error) {
	c.admin.Lock()
	defer c.admin.Unlock()
	now := time.Now().UTC()
	e, err := c.store.UpdateEndpoint(ctx, id, now, func(e *memberwatch.Endpoint) error {
		if revision != 0 && revision != e.Revision {
			return &memberwatch.ReasonError{
				Kind: memberwatch.ErrConflict, Reason: "ETAG_MISMATCH", Message: fmt.Sprintf("endpoint %q was changed meanwhile", id),
				Hint: "read it again and repeat the change", Metadata: map[string]string{"etag": strconv.FormatInt(e.Revision, 10)},
			}
		}
		e.Updated = now
		return change(e)
	})
	if err != nil {
		return e, err
	}
	c.dispatch(id)
	return e, nil
}

// RotateKey gives an endpoint a new key. The keys it had sign, too, for the time
// of the overlap, so that the receiver can change its own meanwhile.
func (c *Courier) RotateKey(ctx context.Context, id memberwatch.EndpointID, key memberwatch.KeyRequest, overlap time.Duration) (memberwatch.Endpoint, error) {
	now := time.Now().UTC()
	newest, err := makeKey(key, now)
	if err != nil {
		return memberwatch.Endpoint{}, err
	}
	return c.UpdateEndpoint(ctx, id, 0, func(e *memberwatch.Endpoint) error {
		keys := []memberwatch.Key{newest}
		for _, k := range activeKeys(e.Keys, now) {
			if until := now.Add(overlap); k.Expires.IsZero() || until.Before(k.Expires) {
				k.Expires = until
			}
			keys = append(keys, k)
		}
		e.Keys = activeKeys(keys, now)
		return nil
	})
}

// RemoveEndpoint ends deliveries to an endpoint and forgets it.
func (c *Courier) RemoveEndpoint(ctx context.Context, id memberwatch.EndpointID) error {
	c.admin.Lock()
	defer c.admin.Unlock()
	c.dismiss(id)
	err := c.store.RemoveEndpoint(ctx, id, time.Now().UTC())
	if _, gone := c.store.Endpoint(id); !errors.Is(gone, memberwatch.ErrNotFound) {
		c.dispatch(id) // it failed, or a repeated request found another one of the id
	}
	return err
}

// Deliveries returns up to limit deliveries of an endpoint in one state that
// match, those of the newest notices first, before a sequence; 0 begins with the
// newest. A nil match takes all.
func (c *Courier) Deliveries(_ context.Context, id memberwatch.EndpointID, state memberwatch.DeliveryState, before int64, limit int, match func(*memberwatch.Delivery) bool) ([]memberwatch.Delivery, error) {
	return c.store.Deliveries(id, state, before, limit, match)
}

// replayPage is how many notices one transaction replays.
const replayPage = 1000

// Replay delivers notices from first to last to an endpoint again, dead ones
// only if so wished, and returns how many they are. What waits already, what the
// endpoint does not take and what the journal has dropped is left out.
func (c *Courier) Replay(ctx context.Context, id memberwatch.EndpointID, first, last int64, deadOnly bool) (replayed int, err error) {
	if last == 0 {
		last = math.MaxInt64
	}
	c.admin.Lock()
	defer c.admin.Unlock()
	for first > 0 && ctx.Err() == nil {
		var n int
		if n, first, err = c.store.ReplayNotices(id, first, last, deadOnly, replayPage); err != nil {
			return replayed, err
		}
		c.dispatch(id)
		replayed += n
	}
	return replayed, ctx.Err()
}

// NoticeSequence returns the place in the journal of the notice with an id.
func (c *Courier) NoticeSequence(_ context.Context, id string) (int64, error) {
	return c.store.NoticeSequence(id)
}
