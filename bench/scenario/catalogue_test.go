package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// sound is a scenario file without fault.
const sound = `id: S90
kind: test
title: A test
shows: nothing
abuse: true
length: 1h..2d
targets:
  from: existing
  apps: 1
steps:
  - add:
      calls_per_day: 20..2000
      members: everyone
      page: 5..10
`

// checkError wants an error whose text contains a part, or none.
func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want %q", err, want)
	}
}

func TestParseScenario(t *testing.T) {
	for name, test := range map[string]struct {
		old, new string // what to replace in the sound file
		want     string
	}{
		"sound":             {"", "", ""},
		"unknown key":       {"page: 5..10", "pages: 5..10", `s90.yaml:14:7: key "pages": unknown field "pages"`},
		"no number":         {"20..2000", "20-2000", `s90.yaml:12:22: key "calls_per_day": "20-2000" is no number and no range such as 20..2000`},
		"falling range":     {"20..2000", "2000..20", `s90.yaml:12:22: key "calls_per_day": range "2000..20" must rise and not be negative`},
		"no length":         {"1h..2d", "1x", `s90.yaml:6:9: key "length": "1x" is no length of time such as`},
		"twice":             {"abuse: true", "abuse: true\nkind: again", `s90.yaml:6:1: key "kind": mapping key "kind" already defined`},
		"bad id":            {"id: S90", "id: s90", `s90.yaml:1: key "id": "s90" must be a capital letter and a number`},
		"no title":          {"title: A test", "after: A test", `key "title": is missing`},
		"unknown selection": {"everyone", "everybody", `s90.yaml:13: key "steps[0].add.members": "everybody" is not known`},
		"two amounts":       {"page: 5..10", "times_own: 1", `s90.yaml:12: key "steps[0].add": needs exactly one amount, such as calls_per_day, and has 2`},
		"large page":        {"5..10", "5..1000", `s90.yaml:14: key "steps[0].add.page": must lie in 1..500`},
		"two kinds of step": {"  - add:", "  - change: {volume: 2}\n    add:", `key "steps[0]": needs exactly one of restrict, change and add, and has 2`},
		"no hit ratio":      {"everyone", "lookups", `key "steps[0].add.hit_ratio": must be given for look-ups and only for them`},
		"unknown source":    {"from: existing", "from: nowhere", `s90.yaml:8: key "targets.from": "nowhere" is not one of existing, new, dormant, identities, everyone`},
		"unknown category":  {"apps: 1", "apps: 1\n  categories: [games, toys]", `s90.yaml:10: key "targets.categories[1]": no category is named "toys"`},
		"long wait":         {"  - add:", "  - wait: 3h\n    add:", `s90.yaml:11: key "steps[0].wait": may be longer than the incident`},
		"two targets":       {"targets:", "target: {within: 2h, ids: 7}\ntargets:", `s90.yaml:7: key "target": needs one unit, such as within or ids, and has 2`},
		"target of a ramp":  {"targets:", "target: {level: 3}\ntargets:", `key "target.level": needs a step that grows by growth_per_day`},
		"target of tricks":  {"targets:", "target: {loss: 0.1}\ntargets:", `key "target.loss": needs a step that is a trick`},
		"gentle target":     {"targets:", "target: {ids: 7, gentle: {rate: 0.1, within: 2h}}\ntargets:", `key "target.gentle": needs a rate and within, beside a target within some time`},
		"canaries unknown":  {"targets:", "declares: [canaries]\ntargets:", `s90.yaml:7: key "declares": must list canaries where a step has canaries_per_10k`},
		"no yaml":           {"targets:", "targets: [", `s90.yaml:`},
	} {
		t.Run(name, func(t *testing.T) {
			source := strings.Replace(sound, test.old, test.new, 1)
			_, err := ParseScenario("s90.yaml", []byte(source))
			checkError(t, err, test.want)
		})
	}
	t.Run("empty", func(t *testing.T) {
		_, err := ParseScenario("s90.yaml", nil)
		checkError(t, err, "s90.yaml:1: empty file")
	})
}

func TestLoadCatalogue(t *testing.T) {
	folder := func(files map[string]string) fstest.MapFS {
		m := fstest.MapFS{}
		for name, text := range files {
			m[name] = &fstest.MapFile{Data: []byte(text)}
		}
		return m
	}
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"sound":     {map[string]string{"c/a.yaml": sound, "c/README.md": "x"}, ""},
		"no file":   {map[string]string{"c/a.yml": sound}, `no scenario in "c"`},
		"same id":   {map[string]string{"c/a.yaml": sound, "c/b.yaml": sound}, `c/b.yaml: key "id": "S90" is taken by c/a.yaml`},
		"two wrong": {map[string]string{"c/a.yaml": "id: 1", "c/b.yaml": "x: 1"}, `c/b.yaml:1:1: key "x": unknown field "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := LoadCatalogue(folder(test.files), "c")
			checkError(t, err, test.want)
		})
	}
}

// TestCatalogueWith: scenarios of one's own stand beside the shipped ones.
func TestCatalogueWith(t *testing.T) {
	shipped, err := DefaultCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ id, want string }{
		"own":   {"id: X01", ""},
		"taken": {"id: S05", `/x.yaml: key "id": "S05" is taken by catalogue/s05-flat-low-and-slow.yaml`},
		"bad":   {"id: x", `/x.yaml:1: key "id": "x" must be`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "x.yaml"), []byte(strings.Replace(sound, "id: S90", test.id, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			both, err := shipped.With(dir)
			checkError(t, err, test.want)
			if test.want != "" {
				return
			}
			if _, ok := both.Scenario("X01"); !ok || len(both.Scenarios()) != len(shipped.Scenarios())+1 {
				t.Errorf("%d scenarios, X01 among them: %v", len(both.Scenarios()), ok)
			}
		})
	}
	_, err = shipped.With(filepath.Join(t.TempDir(), "nowhere"))
	checkError(t, err, `no scenario in "nowhere"`)
}

// TestShippedCatalogue: all of S01-S22 and B1-B14 are there.
func TestShippedCatalogue(t *testing.T) {
	c, err := DefaultCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	abuse, benign := 0, 0
	for _, s := range c.Scenarios() {
		if s.Abuse != strings.HasPrefix(s.ID, "S") {
			t.Errorf("%s: abuse is %v", s.ID, s.Abuse)
		}
		if s.Abuse {
			abuse++
		} else {
			benign++
		}
	}
	if abuse != 22 || benign != 14 {
		t.Errorf("%d kinds of abuse and %d look-alikes, want 22 and 14", abuse, benign)
	}
}

func FuzzParseScenario(f *testing.F) {
	f.Add([]byte(sound))
	f.Add([]byte("steps: [{add: {page: 1..}}]"))
	f.Fuzz(func(_ *testing.T, source []byte) {
		ParseScenario("fuzz.yaml", source) //nolint:errcheck // it must not panic; what it says is tested above
	})
}
