package tune

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/memberwatch/memberwatch"
)

// Label is what people say of an app, at all times or between two.
type Label struct {
	App      memberwatch.AppID // "*": every app without a label of its own
	Abuse    bool
	From, To int64 // nanoseconds since the epoch; 0: no bound
	Line     int
}

// Everybody is the app of the label that speaks of all others.
const Everybody = memberwatch.AppID("*")

// Labels is a file of labels.
type Labels struct {
	File string
	Rows []Label
}

// labelColumns is the header; the last two may be missing.
var labelColumns = []string{"app", "label", "from", "to"}

// ReadLabels reads rows of app,label,from,to: the label is abuse or benign, the
// times, which may be missing, are RFC 3339. The row * says what all other apps
// are. Errors name file and line.
func ReadLabels(file string, in io.Reader) (*Labels, error) {
	table := csv.NewReader(in)
	table.FieldsPerRecord = -1
	header, err := table.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s:1: empty file: expected the header %s", file, strings.Join(labelColumns, ","))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(header) < 2 || len(header) > len(labelColumns) || !slices.Equal(header, labelColumns[:len(header)]) {
		return nil, fmt.Errorf("%s:1: header %q: expected %s, the times being optional", file, strings.Join(header, ","), strings.Join(labelColumns, ","))
	}
	l := &Labels{File: file}
	for {
		cells, err := table.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		line, _ := table.FieldPos(0)
		label, err := parseLabel(cells, len(header))
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, line, err)
		}
		label.Line = line
		l.Rows = append(l.Rows, label)
	}
	if len(l.Rows) == 0 {
		return nil, fmt.Errorf("%s:2: no label below the header", file)
	}
	return l, l.checkAgree()
}

// checkAgree returns an error that names the first label that says the opposite
// of an earlier one about the same app and time.
func (l *Labels) checkAgree() error {
	earlier := make(map[memberwatch.AppID][]*Label)
	for i := range l.Rows {
		row := &l.Rows[i]
		for _, e := range earlier[row.App] {
			if e.Abuse != row.Abuse && (row.To == 0 || e.From < row.To) && (e.To == 0 || row.From < e.To) {
				return fmt.Errorf("%s:%d: app %q is labelled the other way in line %d, for the same time", l.File, row.Line, row.App, e.Line)
			}
		}
		earlier[row.App] = append(earlier[row.App], row)
	}
	return nil
}

func parseLabel(cells []string, columns int) (Label, error) {
	if len(cells) != columns {
		return Label{}, fmt.Errorf("%d columns, the header has %d", len(cells), columns)
	}
	l := Label{App: memberwatch.AppID(cells[0]), Abuse: cells[1] == "abuse"}
	switch {
	case l.App == "":
		return l, errors.New("there is no app")
	case !l.Abuse && cells[1] != "benign":
		return l, fmt.Errorf("label %q must be abuse or benign", cells[1])
	case l.App == Everybody && l.Abuse:
		return l, errors.New("not every app can be abusive: label * benign")
	}
	for n, bound := range []*int64{&l.From, &l.To} {
		if n+2 >= columns || cells[n+2] == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, cells[n+2])
		if err != nil {
			return l, fmt.Errorf("%s %q is no time like 2026-01-31T08:00:00Z", labelColumns[n+2], cells[n+2])
		}
		*bound = t.UnixNano()
	}
	if l.To != 0 && l.To <= l.From {
		return l, errors.New("to must be after from")
	}
	return l, nil
}

// Has tells whether an app has a label, of its own or with all others.
func (l *Labels) Has(app memberwatch.AppID) bool {
	return slices.ContainsFunc(l.Rows, func(row Label) bool { return row.App == app || row.App == Everybody })
}

// CheckKnown returns an error that names the first label of an app that the
// evidence knows nothing of.
func (l *Labels) CheckKnown(known func(memberwatch.AppID) bool) error {
	for _, row := range l.Rows {
		if row.App != Everybody && !known(row.App) {
			return fmt.Errorf("%s:%d: app %q made no events", l.File, row.Line, row.App)
		}
	}
	return nil
}

// covers tells whether the label speaks of a stretch of time.
func (l *Label) covers(from, to int64) bool {
	return to >= l.From && (l.To == 0 || from < l.To)
}
