package logs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// data returns the folder of the real sets, or skips.
func data(t *testing.T, set string) string {
	t.Helper()
	root := os.Getenv("MEMBERWATCH_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	dir := filepath.Join(root, set)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no logs in %s: name the folder that holds %s in MEMBERWATCH_DATA", dir, set)
	}
	return dir
}

// TestCRAN: who takes most of a catalogue within a day stands out before all
// others.
func TestCRAN(t *testing.T) {
	r, err := CRAN(t.Context(), data(t, "cran"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Events != 34_034 || r.Apps != 1_027 {
		t.Errorf("%d events of %d apps", r.Events, r.Apps)
	}
	for n, o := range r.Offenders {
		if n < 2 && o.Rank > 2 || o.DayRank < 1 || o.DayRank > 2 || n == 2 && o.DayRank != 1 || !o.Raised {
			t.Errorf("%s, who %s, has rank %d, %d of its day, raised %t", o.App, o.Why, o.Rank, o.DayRank, o.Raised)
		}
	}
}

// TestEDGAR: who guesses stands out before all others, and a fleet rented in two
// networks is raised by those, though each of its addresses is small.
func TestEDGAR(t *testing.T) {
	r, err := EDGAR(t.Context(), data(t, "edgar"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Events != 78_511 || r.Apps != 1_103 {
		t.Errorf("%d events of %d apps", r.Events, r.Apps)
	}
	for _, o := range r.Offenders {
		fleet := o.Why == "one of a rented fleet"
		if o.App == "address-30" && o.Rank != 1 || fleet && (o.Rank > r.Offenders[0].Rank || !strings.HasPrefix(o.Through, "developer net-")) || (fleet || o.App == "address-30") && !o.Raised {
			t.Errorf("%s, who %s, has rank %d by %q, raised %t", o.App, o.Why, o.Rank, o.Through, o.Raised)
		}
	}
}

// TestShift: the null keeps each account's volume and hours.
func TestShift(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.csv")
	write(t, path, "t,app,member\n2021-01-02T10:00:00Z,a,1\n2021-01-02T10:00:05Z,b,1\n2021-01-05T11:00:00Z,a,2\n2021-01-09T12:30:00Z,c,3\n")
	posts, err := readPosts(path)
	if err != nil {
		t.Fatal(err)
	}
	moved := shift(posts)
	hours := func(posts []post) (list []string) {
		for _, p := range posts {
			list = append(list, p.app+string(rune(p.at/1e9%86_400)))
		}
		slices.Sort(list)
		return list
	}
	if !slices.Equal(hours(posts), hours(moved)) {
		t.Errorf("%v became %v", posts, moved)
	}
	if !slices.IsSortedFunc(moved, func(a, b post) int { return int(a.at - b.at) }) {
		t.Error("the shifted log is out of order")
	}
	if slices.Equal(posts, moved) {
		t.Error("nothing moved")
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestBadRows: an error names file and line.
func TestBadRows(t *testing.T) {
	header := "t,app,member,version,client,os,country,bytes\n"
	good := "2012-10-06T00:00:00Z,x,pkg,1,2,linux,AT,5\n"
	for name, test := range map[string]struct{ text, want string }{
		"empty":      {"", "events.csv:1: empty file"},
		"no rows":    {header, "events.csv:2: no rows"},
		"time":       {header + good + "yesterday,x,pkg,1,2,linux,AT,5\n", `events.csv:3: column "t": "yesterday" is no time`},
		"short row":  {header + good + "2012-10-06T00:00:00Z,x\n", "line 3"},
		"no column":  {"t,who\n2012-10-06T00:00:00Z,x\n", `events.csv:2: column "app": there is no such column`},
		"not zipped": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "events.csv")
			if name == "not zipped" {
				path, test.want = path+".gz", "events.csv.gz"
			}
			write(t, path, test.text)
			err := read(path, func(r *row) error {
				r.text("app")
				r.time("t", "2006-01-02T15:04:05Z07:00")
				return nil
			})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestNoSet(t *testing.T) {
	if _, err := Run(t.Context(), t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "expected folders") {
		t.Errorf("an empty folder: %v", err)
	}
}
