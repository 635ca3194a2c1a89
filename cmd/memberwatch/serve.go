package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"reflect"
	"strings"

	"github.com/spf13/cobra"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/client"
	"github.com/memberwatch/memberwatch/detector"
	"github.com/memberwatch/memberwatch/monitor"
	"github.com/memberwatch/memberwatch/server"
)

// config is what serve reads from a file and from flags of the same names. A
// field that is left out has the default of the package it is for.
type config struct {
	Listen          string     `yaml:"listen"`
	DataDir         string     `yaml:"data_dir"`
	Partitions      int        `yaml:"partitions"`
	MaxResidentApps int        `yaml:"max_resident_apps"`
	IdleTimeout     duration   `yaml:"idle_timeout"`
	Lateness        duration   `yaml:"lateness"`
	RetentionDays   int        `yaml:"retention_days"`
	Budget          float64    `yaml:"budget"`
	LogLevel        slog.Level `yaml:"log_level"`
	Reflection      bool       `yaml:"reflection"`
	TLSCert         string     `yaml:"tls_cert"`
	TLSKey          string     `yaml:"tls_key"`
	TLSClientCA     string     `yaml:"tls_client_ca"`
	// Weights and Shadow have no flags, and neither has Webhooks: what it says goes together.
	Weights  map[string]float64 `yaml:"weights"` // factors on the shares of features
	Shadow   []memberwatch.Kind `yaml:"shadow"`  // kinds that raise nothing
	Webhooks webhooksConfig     `yaml:"webhooks"`
	// Reasons and Allowances have none either.
	Reasons    map[string][]string  `yaml:"reasons"`
	Allowances map[string]allowance `yaml:"allowances"`
}

// bind makes flags that write into the config, with what it holds as defaults.
func (c *config) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&c.Listen, "listen", c.Listen, "address to listen on; one that other machines reach needs TLS and tokens")
	flags.StringVar(&c.DataDir, "data-dir", c.DataDir, "data directory, made if need be")
	flags.IntVar(&c.Partitions, "partitions", c.Partitions, "partitions of a new data directory; 0: 8, or what the directory has")
	flags.IntVar(&c.MaxResidentApps, "max-resident-apps", c.MaxResidentApps, "apps kept in memory; 0: 50,000")
	flags.Var(&c.IdleTimeout, "idle-timeout", "how long a silent producer holds windows open; 0s: 1m")
	flags.Var(&c.Lateness, "lateness", "how late an event may come and still be scored; 0s: 2m")
	flags.IntVar(&c.RetentionDays, "retention-days", c.RetentionDays, "how long the daily ledger is kept; 0: 400")
	flags.Float64Var(&c.Budget, "budget", c.Budget, "app-days of honest traffic in which one false alert is accepted; 0: 1,400, one in 200 app-weeks")
	flags.TextVar(&c.LogLevel, "log-level", c.LogLevel, "least level logged: debug, info, warn or error")
	flags.BoolVar(&c.Reflection, "reflection", c.Reflection, "let tools such as grpcurl ask for the contract")
	flags.StringVar(&c.TLSCert, "tls-cert", c.TLSCert, "PEM file with the service's certificate")
	flags.StringVar(&c.TLSKey, "tls-key", c.TLSKey, "PEM file with its key")
	flags.StringVar(&c.TLSClientCA, "tls-client-ca", c.TLSClientCA, "PEM file with authorities: clients must show a certificate of theirs")
}

func defaultConfig() config {
	return config{Listen: client.DefaultTarget, DataDir: "./memberwatch-data", Reflection: true}
}

func newServe() *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "Take events and raise signals until told to stop", Args: exactly(),
		Long: "serve runs the service. It prints one line of JSON on standard output once it listens, drains its\n" +
			"producers on SIGTERM or SIGINT and ends with status 0; a second signal ends it at once.",
	}
	given := defaultConfig()
	given.bind(cmd)
	file := cmd.Flags().String("config", "", "YAML file with the flags' names as keys, underscores for dashes; flags win")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := readConfig(*file, cmd)
		if err != nil {
			return err
		}
		return serve(cmd, c)
	}
	return cmd
}

// readConfig returns the defaults, overlaid by the file, overlaid by the flags
// that were given.
func readConfig(file string, given *cobra.Command) (config, error) {
	c := defaultConfig()
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return c, hinted{fmt.Errorf("read config: %w", err), "name an existing file with --config"}
		}
		if err := decodeYAML(file, b, &c); err != nil {
			return c, err
		}
	}
	overlay := &cobra.Command{}
	c.bind(overlay)
	for _, key := range yamlKeys(reflect.TypeFor[config]()) {
		name := strings.ReplaceAll(key, "_", "-")
		if !given.Flags().Changed(name) {
			continue
		}
		if err := overlay.Flags().Set(name, given.Flags().Lookup(name).Value.String()); err != nil {
			return c, err
		}
	}
	return c, nil
}

// serve runs until the context ends or the server fails.
func serve(cmd *cobra.Command, c config) error {
	if c.Budget < 0 || math.IsNaN(c.Budget) || math.IsInf(c.Budget, 0) {
		return usagef("--budget %g must be a number of app-days above 0, or 0 for the default", c.Budget)
	}
	stderr := cmd.ErrOrStderr()
	options, err := c.options(slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: c.LogLevel})))
	if err != nil {
		return err
	}
	s, err := startService(cmd.Context(), options)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "memberwatch: listening on %s, data in %s\n", s.address, c.DataDir)
	fmt.Fprintf(stderr, "memberwatch: %s\n", identityText(s.proves))
	err = json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]string{"address": s.address, "data_dir": c.DataDir, "version": version()})
	if err == nil {
		select {
		case <-cmd.Context().Done():
			fmt.Fprintln(stderr, "memberwatch: draining; another signal stops it at once")
		case err = <-s.failed:
		}
	}
	if stopErr := s.stop(cmd.Context()); err == nil {
		err = stopErr
	}
	return err
}

// detector returns the configuration of the models.
func (c *config) detector() (*detector.Config, error) {
	t := memberwatch.Tuning{Budget: c.Budget, Weights: c.Weights, Shadow: c.Shadow}
	err := t.Validate()
	if err != nil {
		return nil, err
	}
	d, err := detector.DefaultConfig().Tuned(&t)
	return &d, err
}

// options returns the config as the packages take it.
func (c *config) options(log *slog.Logger) (serviceOptions, error) {
	deliver, err := c.Webhooks.options(log)
	terms, err2 := c.terms(log)
	secured, err3 := c.tlsConfig()
	models, err4 := c.detector()
	return serviceOptions{
		listen: c.Listen,
		monitor: monitor.Options{
			Dir: c.DataDir, Partitions: c.Partitions, MaxResident: c.MaxResidentApps, RetentionDays: c.RetentionDays,
			IdleTimeout: c.IdleTimeout.Duration, Lateness: c.Lateness.Duration, Detector: models, Logger: log,
		},
		review:  terms,
		server:  server.Options{Log: log, WithoutReflection: !c.Reflection, TLS: secured},
		deliver: &deliver,
	}, errors.Join(err, err2, err3, err4)
}
