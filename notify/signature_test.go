package notify_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch/notify"
)

// The vector is the one of the specification's reference implementations.
func TestSpecificationVector(t *testing.T) {
	got, err := notify.Sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; err != nil || got != want {
		t.Errorf("signature %s, %v, want %s", got, err, want)
	}
}

// signed returns the headers of a message.
func signed(t *testing.T, id string, at time.Time, body string, secrets ...string) http.Header {
	t.Helper()
	var signatures []string
	for _, secret := range secrets {
		s, err := notify.Sign(secret, id, at, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		signatures = append(signatures, s)
	}
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	h.Set("webhook-signature", strings.Join(signatures, " "))
	return h
}

func TestVerify(t *testing.T) {
	now := time.Unix(1790000000, 0)
	old, current, private, stranger := notify.NewSecret(), notify.NewSecret(), notify.NewPrivateKey(), notify.NewSecret()
	public := notify.PublicKey(private)
	good := signed(t, "s1-created", now, "{}", current, old, private)
	changed := func(name, value string) http.Header {
		h := good.Clone()
		h.Set(name, value)
		return h
	}
	tests := map[string]struct {
		keys   []string
		header http.Header
		body   string
		at     time.Time
		ok     bool
	}{
		"new secret":             {[]string{current}, good, "{}", now, true},
		"old secret in rotation": {[]string{old}, good, "{}", now, true},
		"public key":             {[]string{public}, good, "{}", now, true},
		"one of several keys":    {[]string{stranger, public}, good, "{}", now, true},
		"slow clock":             {[]string{current}, good, "{}", now.Add(-5 * time.Minute), true},
		"unknown secret":         {[]string{stranger}, good, "{}", now, false},
		"another public key":     {[]string{notify.PublicKey(notify.NewPrivateKey())}, good, "{}", now, false},
		"private key to verify":  {[]string{private}, good, "{}", now, false},
		"no keys":                {nil, good, "{}", now, false},
		"another body":           {[]string{current, public}, good, "{ }", now, false},
		"another id":             {[]string{current, public}, changed("webhook-id", "s2-created"), "{}", now, false},
		"another time":           {[]string{current, public}, changed("webhook-timestamp", "1790000001"), "{}", now, false},
		"too old":                {[]string{current}, good, "{}", now.Add(6 * time.Minute), false},
		"from the future":        {[]string{current}, good, "{}", now.Add(-6 * time.Minute), false},
		"no id":                  {[]string{current}, changed("webhook-id", ""), "{}", now, false},
		"no time":                {[]string{current}, changed("webhook-timestamp", "now"), "{}", now, false},
		"no signature":           {[]string{current}, changed("webhook-signature", ""), "{}", now, false},
		"signature of no kind":   {[]string{current}, changed("webhook-signature", "v9,"+strings.Repeat("A", 43)+"="), "{}", now, false},
		"signature as v1a":       {[]string{current, public}, changed("webhook-signature", strings.Replace(good.Get("webhook-signature"), "v1,", "v1a,", 1)[:48]), "{}", now, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			id, err := notify.Verify(tt.keys, tt.header, []byte(tt.body), tt.at)
			if (err == nil) != tt.ok || tt.ok && id != "s1-created" {
				t.Errorf("id %q, error %v, want ok %v", id, err, tt.ok)
			}
		})
	}
}

func TestCheckSecret(t *testing.T) {
	tests := map[string]bool{
		notify.NewSecret():                            true,
		notify.NewPrivateKey():                        true,
		"whsk_" + strings.Repeat("A", 43) + "=":       true, // 32 bytes: a seed
		"":                                            false,
		"secret":                                      false,
		"whsec_%%%":                                   false,
		"whsec_" + strings.Repeat("A", 28):            false, // 21 bytes
		"whsec_" + strings.Repeat("A", 88):            false, // 66 bytes
		"whsk_" + strings.Repeat("A", 32):             false,
		notify.PublicKey(notify.NewPrivateKey()):      false,
		strings.ToUpper(notify.NewSecret()[:7]) + "A": false,
	}
	for secret, ok := range tests {
		err := notify.CheckSecret(secret)
		if (err == nil) != ok {
			t.Errorf("secret %.9s… of %d bytes: %v, want ok %v", secret, len(secret), err, ok)
		}
		if _, signErr := notify.Sign(secret, "id", time.Unix(0, 0), nil); (signErr == nil) != ok {
			t.Errorf("sign with %.9s…: %v, want ok %v", secret, signErr, ok)
		}
		if err != nil && len(secret) > 10 && strings.Contains(err.Error(), secret[6:]) {
			t.Errorf("error tells the secret: %v", err)
		}
	}
}
