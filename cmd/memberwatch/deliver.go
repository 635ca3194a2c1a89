package main

import (
	"fmt"
	"log/slog"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/notify"
	"github.com/memberwatch/memberwatch/review"
	"github.com/memberwatch/memberwatch/store"
)

// webhooksConfig is the section webhooks of the config.
type webhooksConfig struct {
	// BaseURL is where people find this service: messages link to it.
	BaseURL   string     `yaml:"base_url"`
	Retention duration   `yaml:"retention"`
	File      fileConfig `yaml:"file"`
}

// fileConfig says which file notices are appended to.
type fileConfig struct {
	Path    string `yaml:"path"`
	Payload string `yaml:"payload"` // thin, full or ocsf
}

// options returns the section as the package takes it.
func (c *webhooksConfig) options(log *slog.Logger) (notify.Options, error) {
	o := notify.Options{BaseURL: c.BaseURL, Version: version(), Retention: c.Retention.Duration, Log: log, File: notify.File{Path: c.File.Path}}
	switch c.File.Payload {
	case "", "thin":
	case "full":
		o.File.Payload = memberwatch.PayloadFull
	case "ocsf":
		o.File.OCSF = true
	default:
		return o, hinted{fmt.Errorf("webhooks.file.payload %q is not known", c.File.Payload), "write thin, full or ocsf"}
	}
	return o, nil
}

// startCourier begins to deliver what the review side tells of.
func startCourier(files *store.Platform, reviews *review.Service, o notify.Options) (*notify.Courier, error) {
	o.Store = files
	o.Feeds = []notify.Feed{&notify.Reviews{Source: reviews, Drop: files.DropReviewEvents}}
	return notify.New(o)
}
