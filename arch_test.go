package memberwatch_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the import path of the repository's root.
const module = "github.com/memberwatch/memberwatch"

// room is one package of the repository and what its code may import.
type room struct {
	// imports lists packages of this module by their folder; "." is the root.
	imports []string
	// libraries lists third-party import paths; "path/..." takes in everything below.
	libraries []string
	// why is the reason for the two lists.
	why string
}

// grpc and protobuf are allowed where the wire is: they always come together with what lies below them.
const (
	grpc     = "google.golang.org/grpc/..."
	protobuf = "google.golang.org/protobuf/..."
	errpb    = "google.golang.org/genproto/googleapis/rpc/errdetails"
)

// rooms is who may import whom, by folder. The standard library is open to all but the pure rooms, tests may import what
// they need, and nobody imports cmd. A folder with Go code that has no line here fails the test: a new room states its
// reason first.
var rooms = map[string]room{
	".": {
		why: "the words of the domain are read by every room, so they depend on none and on no technology",
	},
	"proto/memberwatch/v1": {
		libraries: []string{grpc, protobuf, "github.com/planetscale/vtprotobuf/..."},
		why:       "generated code and its runtimes",
	},
	"wire": {
		imports:   []string{".", "proto/memberwatch/v1"},
		libraries: []string{protobuf, "google.golang.org/grpc/encoding/...", "google.golang.org/grpc/mem"},
		why:       "the one translation between contract and words, and the codec that decodes event batches",
	},
	"detector": {
		imports: []string{".", "detector/codec", "detector/series", "detector/sketch", "detector/tails"},
		why:     "state in, verdict and new state out: replay is exact only without I/O, clock and scheduling",
	},
	"detector/codec": {
		why: "one form for all that is kept; what is in it, and in which order, each type says itself",
	},
	"detector/series": {
		imports: []string{"detector/codec", "detector/tails"},
		why:     "expects one series at a time, whatever is counted: what many of them mean beside each other is the detector's",
	},
	"detector/sketch": {
		why: "bytes of a sketch outlive releases, so nobody else's code decides them",
	},
	"detector/tails": {
		libraries: []string{"gonum.org/v1/gonum/..."},
		why:       "a probability does not depend on what is counted; where a library keeps the digits far out, it is taken",
	},
	"store": {
		imports:   []string{"."},
		libraries: []string{"go.etcd.io/bbolt/...", "golang.org/x/mod/sumdb/tlog"},
		why:       "the only one who knows bbolt; states of the detector are bytes to it; the audit log's tree lies beside what it is about",
	},
	"monitor": {
		imports: []string{".", "detector", "detector/sketch", "store"},
		why:     "the only shell around the pure core; it knows no wire, so a log can feed it as well as a server",
	},
	"review": {
		imports: []string{".", "store"},
		why:     "the shell around the rules of review, as monitor is around the detector; control changes go through a function it is given, so it knows neither monitor nor wire",
	},
	"access": {
		imports: []string{".", "store"},
		why:     "who may call is asked before anything else is known; what a role opens is for the server",
	},
	"filter": {
		imports: []string{"."},
		why:     "one filter language for every list, whatever the items and whoever asks",
	},
	"server": {
		imports:   []string{".", "filter", "proto/memberwatch/v1", "wire"},
		libraries: []string{grpc, protobuf, errpb},
		why:       "declares the interfaces that it calls, so that monitor and store stay unknown to it",
	},
	"console": {
		imports: []string{"."},
		why:     "declares the interfaces that it calls and renders words, not messages",
	},
	"notify": {
		imports: []string{".", "notify/ocsf", "store"},
		why:     "a shell like monitor: what is delivered commits together with how far; where notices come from is wired in cmd",
	},
	"notify/ocsf": {
		imports: []string{"."},
		why:     "a signal in, a finding out: export needs it without any delivery",
	},
	"client": {
		imports:   []string{".", "proto/memberwatch/v1", "wire"},
		libraries: []string{grpc, protobuf, errpb},
		why:       "lives in other people's gateways, so it drags no server code along",
	},
	"bench": {
		imports: []string{".", "bench/scenario", "client", "detector", "detector/sketch", "monitor"},
		why:     "measures the very code that runs in production, from outside: what lies on disk is not its business",
	},
	"bench/calibration": {
		imports: []string{".", "detector"},
		why:     "feeds counts to the very statistics that run in production, and knows no event",
	},
	"bench/feed": {
		imports: []string{".", "detector", "monitor"},
		why:     "one gateway and one service in one process: whoever measures signals feeds them alike",
	},
	"bench/logs": {
		imports: []string{".", "bench/feed", "bench/trial", "detector"},
		why:     "knows where real logs come from and who is named in them; neither becomes part of an event",
	},
	"bench/nab": {
		imports: []string{"detector/series"},
		why:     "scores the model of a lone series by a public benchmark's rules; the model knows no label",
	},
	"bench/diff": {
		why: "reads figures, whoever made them",
	},
	"bench/recovery": {
		imports: []string{".", "monitor"},
		why:     "starts and stops the very monitor, from outside: what lies on disk is not its business",
	},
	"bench/cpu": {
		why: "asks the operating system, which only some systems answer",
	},
	"bench/lookback": {
		imports: []string{".", "bench/cpu", "detector", "detector/sketch", "monitor", "store"},
		why:     "fills a ledger through the store, which is faster than months of events, and asks the monitor",
	},
	"bench/throughput": {
		imports:   []string{".", "bench/cpu", "client", "proto/memberwatch/v1", "wire"},
		libraries: []string{grpc, protobuf},
		why:       "feeds the contract to other processes, and must not know what the one that scores is made of",
	},
	"bench/report": {
		imports:   []string{".", "bench/scenario", "bench/trial"},
		libraries: []string{"gonum.org/v1/plot/..."},
		why:       "draws results, wherever they come from",
	},
	"bench/scenario": {
		imports:   []string{"."},
		libraries: []string{"github.com/goccy/go-yaml/..."},
		why:       "makes events with known answers, and must not know how they are found",
	},
	"bench/trial": {
		imports:   []string{".", "bench/scenario", "detector"},
		libraries: []string{"gonum.org/v1/gonum/..."},
		why:       "holds signals against the truth, which the service behind its interface never sees",
	},
	"bench/tune": {
		imports: []string{".", "bench/trial", "detector"},
		why:     "decides recorded evidence again; whoever recorded it stays unknown to it",
	},
	"cmd/memberwatch": {
		imports: []string{
			".", "access", "bench", "bench/calibration", "bench/diff", "bench/feed", "bench/logs", "bench/lookback", "bench/nab", "bench/recovery", "bench/report", "bench/scenario", "bench/throughput", "bench/trial", "bench/tune", "client", "console", "detector", "monitor", "notify", "notify/ocsf",
			"proto/memberwatch/v1", "review", "server", "store", "wire",
		},
		libraries: []string{grpc, protobuf, errpb, "github.com/spf13/cobra", "github.com/goccy/go-yaml/...", "golang.org/x/mod/sumdb/tlog"},
		why:       "wires everything, and speaks the contract as a client of its own server",
	},
}

// pure lists the folders whose result must depend on their arguments alone.
var pure = []string{"detector", "detector/codec", "detector/series", "detector/sketch", "detector/tails"}

// impure maps what a pure room may not import, with everything below it, to the reason.
var impure = map[string]string{
	"context":      "a pure function has nothing to cancel",
	"crypto/rand":  "replay must give the same bytes",
	"hash/maphash": "its seed differs from process to process",
	"log":          "a finding carries its caveats, the shell logs",
	"math/rand":    "replay must give the same bytes",
	"net":          "I/O belongs to the shell",
	"os":           "I/O belongs to the shell",
	"sync":         "one goroutine owns a state, so there is nothing to lock",
}

// clocks are the functions of package time that read or wait for the machine's clock.
var clocks = []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}

// source is one parsed Go file.
type source struct {
	folder, name string // slash-separated folder below the root, and the file's name
	file         *ast.File
	position     func(ast.Node) token.Position
}

func (s source) isTest() bool { return strings.HasSuffix(s.name, "_test.go") }

// imported returns the file's imports by path, each with the name it goes by in the file.
func (s source) imported() map[string]string {
	names := make(map[string]string)
	for _, spec := range s.file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(err) // the parser accepted it
		}
		names[imported] = path.Base(imported)
		if spec.Name != nil {
			names[imported] = spec.Name.Name
		}
	}
	return names
}

// TestImports holds each file against the line of its room. It parses the files itself: the test cache tracks files that
// a test opens, but would go on reporting success when a sub-process had read them.
func TestImports(t *testing.T) {
	for _, s := range parseTree(t) {
		if _, known := rooms[s.folder]; !known {
			t.Errorf("%s/%s: package is not listed in arch_test.go: add a line that says what it may import and why", s.folder, s.name)
			continue
		}
		for _, imported := range slices.Sorted(maps.Keys(s.imported())) {
			if err := checkImport(s, imported); err != nil {
				t.Errorf("%s/%s imports %q: %v", s.folder, s.name, imported, err)
			}
		}
	}
}

// TestDetectorIsPure finds what would make the detector's result depend on more than its arguments.
func TestDetectorIsPure(t *testing.T) {
	for _, s := range parseTree(t) {
		if s.isTest() || !slices.Contains(pure, s.folder) {
			continue
		}
		imported := s.imported()
		for banned, why := range impure {
			for name := range imported {
				if within(name, banned+"/...") {
					t.Errorf("%s/%s imports %q: %s", s.folder, s.name, name, why)
				}
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: go statement: scheduling must not reach the result", s.position(n))
			case *ast.SelectorExpr:
				x, ok := n.X.(*ast.Ident)
				if ok && x.Name == imported["time"] && slices.Contains(clocks, n.Sel.Name) {
					t.Errorf("%s: time.%s: time comes in with the events", s.position(n), n.Sel.Name)
				}
			}
			return true
		})
	}
}

// checkImport says why a file may not import a package, or nil.
func checkImport(s source, imported string) error {
	inModule := within(imported, module+"/...")
	folder := path.Join(".", strings.TrimPrefix(imported, module))
	first, _, _ := strings.Cut(imported, "/")
	switch r := rooms[s.folder]; {
	case inModule && within(folder, "cmd/..."):
		return fmt.Errorf("nobody imports cmd, tests included: move what is shared to a room of its own")
	case s.isTest():
		return nil
	case inModule && !slices.Contains(r.imports, folder):
		return fmt.Errorf("not among the rooms it may import (%s)", r.why)
	case !inModule && strings.Contains(first, ".") && !slices.ContainsFunc(r.libraries, func(l string) bool { return within(imported, l) }):
		return fmt.Errorf("not among the libraries it may import (%s)", r.why)
	}
	return nil
}

// within reports whether a path is the pattern, or lies below a pattern that ends in "/...".
func within(name, pattern string) bool {
	base, open := strings.CutSuffix(pattern, "/...")
	return name == base || open && strings.HasPrefix(name, base+"/")
}

// parseTree reads every Go file of the module, tests included.
func parseTree(t *testing.T) []source {
	t.Helper()
	var sources []source
	files := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && outside(name) {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		slashed := filepath.ToSlash(name)
		sources = append(sources, source{
			folder:   path.Dir(slashed),
			name:     path.Base(slashed),
			file:     file,
			position: func(n ast.Node) token.Position { return files.Position(n.Pos()) },
		})
		return nil
	})
	if err != nil {
		t.Fatalf("walk the module: %v", err)
	}
	return sources
}

// outside reports whether the go command, too, takes no packages of this module from a folder.
func outside(folder string) bool {
	base := filepath.Base(folder)
	if base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil
}
