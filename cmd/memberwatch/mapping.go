package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
)

// mapping says how a row of a table becomes an access event. A value is the
// name of a column, a text with columns in braces such as "{day}-{address}", or
// a fixed text behind an equals sign such as "=web".
type mapping struct {
	App        string         `yaml:"app"`
	Developer  string         `yaml:"developer"`
	Time       timeMapping    `yaml:"time"`
	Endpoint   string         `yaml:"endpoint"`
	Classes    listMapping    `yaml:"classes"`
	Group      string         `yaml:"group"`
	Members    listMapping    `yaml:"members"`
	Requested  listMapping    `yaml:"requested"`
	Missed     string         `yaml:"missed"`
	Records    string         `yaml:"records"`
	Actor      listMapping    `yaml:"actor"`
	Credential string         `yaml:"credential"`
	Network    string         `yaml:"network"`
	Outcome    outcomeMapping `yaml:"outcome"`
}

// timeMapping reads an event's time.
type timeMapping struct {
	Value  string `yaml:"value"`
	Layout string `yaml:"layout"` // rfc3339 (default), unix, unix_ms, unix_us, unix_ns, or a layout of package time
	Zone   string `yaml:"zone"`   // of times that name none, such as Europe/Paris; default UTC
}

// listMapping reads a list of values.
type listMapping struct {
	Value  string `yaml:"value"`
	Split  string `yaml:"split"`  // what separates the values of a column; default: it holds one
	Hashed bool   `yaml:"hashed"` // members only: values are keyed 64-bit hashes already
}

// outcomeMapping reads an event's outcome: names of outcomes and HTTP statuses
// are understood, others need an entry.
type outcomeMapping struct {
	Value string            `yaml:"value"`
	Map   map[string]string `yaml:"map"` // a value, or a class of statuses such as 4xx, to an outcome
}

// fields lists the mapping's values by name, for --map.
func (m *mapping) fields() map[string]*string {
	return map[string]*string{
		"app": &m.App, "developer": &m.Developer, "time": &m.Time.Value, "endpoint": &m.Endpoint, "classes": &m.Classes.Value,
		"group": &m.Group, "members": &m.Members.Value, "requested": &m.Requested.Value, "missed": &m.Missed, "records": &m.Records,
		"actor": &m.Actor.Value, "credential": &m.Credential, "network": &m.Network, "outcome": &m.Outcome.Value,
	}
}

// mappingFields lists the names, in the order of the contract.
const mappingFields = "app, developer, time, endpoint, classes, group, members, requested, missed, records, actor, credential, network, outcome"

// set takes assignments such as app=subnet,members=doc.
func (m *mapping) set(assignments []string) error {
	fields := m.fields()
	for _, a := range assignments {
		name, value, found := strings.Cut(a, "=")
		field, known := fields[name]
		switch {
		case !found || value == "":
			return &usageError{message: fmt.Sprintf("--map %q is no assignment", a), hint: "write --map app=COLUMN,members=COLUMN"}
		case !known:
			return &usageError{message: fmt.Sprintf("--map %q: an event has no field %q", a, name), hint: "fields are " + mappingFields}
		}
		*field = value
	}
	return nil
}

// defaultMapping takes columns that go by the names of the fields.
func defaultMapping(header []string) mapping {
	var m mapping
	fields := m.fields()
	for _, column := range header {
		if field, ok := fields[column]; ok {
			*field = column
		}
	}
	return m
}

// readMapping reads a mapping file.
func readMapping(name string) (mapping, error) {
	var m mapping
	b, err := os.ReadFile(name)
	if err != nil {
		return m, hinted{fmt.Errorf("read mapping: %w", err), "name an existing file with --mapping"}
	}
	return m, decodeYAML(name, b, &m)
}

// decodeYAML reads a file's content strictly: an unknown key is an error, and
// every error names its place.
func decodeYAML(name string, b []byte, into any) error {
	err := yaml.UnmarshalWithOptions(b, into, yaml.Strict())
	if err == nil {
		return nil
	}
	_, unknown := errors.AsType[*yaml.UnknownFieldError](err)
	located, ok := errors.AsType[yaml.Error](err)
	if !ok || located.GetToken() == nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	at := located.GetToken().Position
	err = fmt.Errorf("%s:%d:%d: %s", name, at.Line, at.Column, located.GetMessage())
	if unknown {
		return hinted{err, "known keys are " + strings.Join(yamlKeys(reflect.TypeOf(into).Elem()), ", ")}
	}
	return err
}

// yamlKeys lists the keys that a struct is read from.
func yamlKeys(t reflect.Type) []string {
	var keys []string
	for field := range t.Fields() {
		keys = append(keys, field.Tag.Get("yaml"))
	}
	return keys
}
