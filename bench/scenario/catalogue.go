package scenario

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

//go:embed catalogue/*.yaml
var embedded embed.FS

// Scenario is one kind of abuse, or one benign look-alike, as its file declares
// it. catalogue/README.md explains the keys.
type Scenario struct {
	ID    string `yaml:"id"`    // S04, B1
	Kind  string `yaml:"kind"`  // burst-harvest
	Title string `yaml:"title"` // one line for reports
	After string `yaml:"after"` // the incident it follows
	Shows string `yaml:"shows"` // what gives it away, or tells it apart
	Abuse bool   `yaml:"abuse"` // false: a look-alike that must stay quiet
	// Declares names what the platform knows of beforehand: restriction,
	// purposes, attestation, canaries or expectation.
	Declares []string `yaml:"declares"`
	Targets  Targets  `yaml:"targets"`
	Length   Period   `yaml:"length"` // of the whole incident
	// Always means that it goes on from the first day of the run to the last: an
	// old habit, which baselines can know.
	Always bool   `yaml:"always"`
	Target Target `yaml:"target"` // how early it should be found
	Steps  []Step `yaml:"steps"`

	file string
}

// Targets says which apps an incident befalls.
type Targets struct {
	From        string   `yaml:"from"`          // existing, new, dormant, identities or everyone
	Apps        Range    `yaml:"apps"`          // how many
	Share       Range    `yaml:"share"`         // instead of Apps: share of those that qualify
	Each        bool     `yaml:"each"`          // every app is an incident of its own
	Categories  []string `yaml:"categories"`    // empty: any
	Size        Range    `yaml:"size"`          // where the app stands between the smallest, 0, and the largest, 1
	CallsPerDay Range    `yaml:"calls_per_day"` // of new apps, of their own accord
	Reads       string   `yaml:"reads"`         // a data class that the app ordinarily reads
	Developer   string   `yaml:"developer"`     // of new apps: own, or shared by all of the incident
	Idle        Period   `yaml:"idle"`          // how long a dormant app was silent
}

// Step is one thing that happens in an incident. Exactly one of Restrict,
// Change and Add is set.
type Step struct {
	Wait     Period    `yaml:"wait"`  // from the incident's start
	Trick    bool      `yaml:"trick"` // meant to mislead the detector; a clean run leaves it out
	Lasts    Period    `yaml:"lasts"` // not given: to the incident's end
	Restrict *Restrict `yaml:"restrict"`
	Change   *Change   `yaml:"change"`
	Add      *Add      `yaml:"add"`
}

// Restrict forbids a data class to all apps; honest ones stop in time.
type Restrict struct {
	Class    string `yaml:"class"`
	Notice   Period `yaml:"notice"`    // between announcement and effect
	Grace    Period `yaml:"grace"`     // declared with the restriction
	Exempt   Range  `yaml:"exempt"`    // share of the apps that may go on
	Denied   Range  `yaml:"denied"`    // share of the honest apps that still try and are refused
	TryHours Range  `yaml:"try_hours"` // for how long they try
}

// Change alters what the apps do anyhow. Factors of 1 change nothing.
type Change struct {
	Users      Range    `yaml:"users"`      // factor on acting users, and on calls with them
	Volume     Range    `yaml:"volume"`     // factor on calls alone
	Page       Range    `yaml:"page"`       // factor on members per call
	Groups     Range    `yaml:"groups"`     // factor on managed groups
	Errors     Range    `yaml:"errors"`     // share of calls that fail
	Peers      Range    `yaml:"peers"`      // factor on users of apps of the same category
	Classes    []string `yaml:"classes"`    // added to every call that discloses members
	Network    string   `yaml:"network"`    // new
	Credential string   `yaml:"credential"` // new
	Shift      Period   `yaml:"shift"`      // of the daily rhythm
	Late       Period   `yaml:"late"`       // events arrive up to this much later
	Duplicates Range    `yaml:"duplicates"` // share of events that arrive twice
	Skew       Period   `yaml:"skew"`       // events carry a time up to this much too early
	Certified  bool     `yaml:"certified"`  // the registry learns of the added classes
}

// Add makes calls on top of what the apps do anyhow.
type Add struct {
	// Exactly one of these amounts is given, before the rate multiplier.
	MembersPerMinute   Range `yaml:"members_per_minute"`
	MembersPerDay      Range `yaml:"members_per_day"`
	CallsPerMinute     Range `yaml:"calls_per_minute"`
	CallsPerDay        Range `yaml:"calls_per_day"`
	CallsPerWeek       Range `yaml:"calls_per_week"`
	TimesOwn           Range `yaml:"times_own"`            // times the members the app ordinarily reads
	ActorsPerDay       Range `yaml:"actors_per_day"`       // with MembersPerActor
	MembersPerIdentity Range `yaml:"members_per_identity"` // with targets from identities

	MembersPerActor Range    `yaml:"members_per_actor"`
	GrowthPerDay    Range    `yaml:"growth_per_day"` // the amount is ((1+growth)^days - 1) times TimesOwn
	Shape           string   `yaml:"shape"`          // season, flat, night, weekly, metronome
	Duty            Range    `yaml:"duty"`           // share of hours at work
	Members         string   `yaml:"members"`        // who is read: see selections
	Page            Range    `yaml:"page"`           // members per call
	HitRatio        Range    `yaml:"hit_ratio"`      // of look-ups
	Canaries        Range    `yaml:"canaries_per_10k"`
	Endpoint        string   `yaml:"endpoint"` // not given: the app's own
	Classes         []string `yaml:"classes"`  // not given: the app's own
	Actor           string   `yaml:"actor"`    // app, service, each or none
	Network         string   `yaml:"network"`  // new
	Credential      string   `yaml:"credential"`
	Outcome         string   `yaml:"outcome"` // ok, error or throttled
	AtMost          Range    `yaml:"at_most_members"`
	Decoy           bool     `yaml:"decoy"`   // part of the abuse, but nothing leaks
	Retains         bool     `yaml:"retains"` // goes on with a restricted class
}

// Catalogue is a checked set of scenarios.
type Catalogue struct {
	scenarios []Scenario // by id
}

// DefaultCatalogue returns the scenarios shipped with the package.
func DefaultCatalogue() (*Catalogue, error) {
	return LoadCatalogue(embedded, "catalogue")
}

// LoadCatalogue reads every *.yaml file of a folder, one scenario each. The
// error joins those of all files; each names file, line, column and key.
func LoadCatalogue(fsys fs.FS, folder string) (*Catalogue, error) {
	files, err := fs.Glob(fsys, path.Join(folder, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("list scenarios in %q: %w", folder, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no scenario in %q: expected files such as s04-burst-harvest.yaml", folder)
	}
	c := &Catalogue{}
	var errs []error
	for _, file := range files {
		source, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, fmt.Errorf("read scenario: %w", err)
		}
		s, err := ParseScenario(file, source)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if other, ok := c.Scenario(s.ID); ok {
			errs = append(errs, fmt.Errorf("%s: key \"id\": %q is taken by %s", file, s.ID, other.file))
			continue
		}
		c.scenarios = append(c.scenarios, *s)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	slices.SortFunc(c.scenarios, func(a, b Scenario) int { return compareIDs(a.ID, b.ID) })
	return c, nil
}

// With returns the catalogue with the scenarios of a folder of the machine beside
// its own.
func (c *Catalogue) With(folder string) (*Catalogue, error) {
	added, err := LoadCatalogue(os.DirFS(filepath.Dir(folder)), filepath.Base(folder))
	if err != nil {
		return nil, err
	}
	all := &Catalogue{scenarios: slices.Concat(c.scenarios, added.scenarios)}
	for i := range added.scenarios {
		if other, taken := c.Scenario(added.scenarios[i].ID); taken {
			return nil, fmt.Errorf("%s: key \"id\": %q is taken by %s", added.scenarios[i].file, other.ID, other.file)
		}
	}
	slices.SortFunc(all.scenarios, func(a, b Scenario) int { return compareIDs(a.ID, b.ID) })
	return all, nil
}

// compareIDs orders B2 before B10 and look-alikes before abuse.
func compareIDs(a, b string) int {
	if a[0] == b[0] && len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// Scenario returns the scenario of an id.
func (c *Catalogue) Scenario(id string) (*Scenario, bool) {
	for i := range c.scenarios {
		if c.scenarios[i].ID == id {
			return &c.scenarios[i], true
		}
	}
	return nil, false
}

// Scenarios returns all scenarios, ordered by id.
func (c *Catalogue) Scenarios() []Scenario { return slices.Clone(c.scenarios) }

// ParseScenario reads one scenario file. Unknown keys are errors.
func ParseScenario(file string, source []byte) (*Scenario, error) {
	s := &Scenario{file: file}
	err := yaml.NewDecoder(bytes.NewReader(source), yaml.Strict()).Decode(s)
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s:1: empty file: expected a scenario", file)
	}
	if err != nil {
		return nil, locate(file, source, err)
	}
	var problems []error
	check(s, func(key, format string, args ...any) {
		line := lineOf(source, key)
		problems = append(problems, fmt.Errorf("%s:%d: key %q: %s", file, line, key, fmt.Sprintf(format, args...)))
	})
	return s, errors.Join(problems...)
}

// locate turns an error of the YAML library into one that names file, line and
// column, without its picture of the source.
func locate(file string, source []byte, err error) error {
	if bad, ok := errors.AsType[*valueError](err); ok {
		return fmt.Errorf("%s:%d:%d: key %q: %s", file, bad.line, bad.column, keyAt(source, bad.line), bad.message)
	}
	if bad, ok := errors.AsType[yaml.Error](err); ok && bad.GetToken() != nil {
		at := bad.GetToken().Position
		return fmt.Errorf("%s:%d:%d: key %q: %s", file, at.Line, at.Column, keyAt(source, at.Line), bad.GetMessage())
	}
	return fmt.Errorf("%s: %w", file, err)
}

// keyAt returns the key that stands on a line of a block-style file.
func keyAt(source []byte, line int) string {
	lines := bytes.Split(source, []byte("\n"))
	if line < 1 || line > len(lines) {
		return ""
	}
	name, _, _ := strings.Cut(strings.TrimLeft(string(lines[line-1]), " -"), ":")
	return name
}

// lineOf returns the line of a key given as a path such as steps[0].add.page,
// or of its nearest ancestor that the file has.
func lineOf(source []byte, key string) int {
	file, err := parser.ParseBytes(source, 0)
	if err != nil {
		return 1
	}
	for key != "" {
		if p, err := yaml.PathString("$." + key); err == nil {
			if node, err := p.FilterFile(file); err == nil && node != nil {
				return node.GetToken().Position.Line
			}
		}
		key = key[:max(strings.LastIndexByte(key, '.'), 0)]
	}
	return 1
}
