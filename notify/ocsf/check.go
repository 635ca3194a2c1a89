package ocsf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
)

// Check holds a Detection Finding against the pinned part of the schema. The
// error joins everything that is wrong, each with the path to it: missing and
// unknown attributes, wrong types, values that an enum does not have, captions
// that contradict their value, times that are no milliseconds.
func Check(finding []byte) error {
	d := json.NewDecoder(bytes.NewReader(finding))
	d.UseNumber()
	var root map[string]any
	if err := d.Decode(&root); err != nil {
		return fmt.Errorf("finding is no JSON object: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the finding")
	}
	c := &checker{profiles: make(map[string]bool)}
	if metadata, ok := root["metadata"].(map[string]any); ok {
		profiles, _ := metadata["profiles"].([]any)
		for _, p := range profiles {
			if name, ok := p.(string); ok {
				c.profiles[name] = true
			}
		}
		if v := metadata["version"]; v != version {
			c.fail("metadata.version", "is %v, this is the schema %s", v, version)
		}
	}
	c.object("", classObject, root)
	c.typeUID(root)
	return errors.Join(c.wrong...)
}

// checker gathers what is wrong with a finding.
type checker struct {
	profiles map[string]bool
	wrong    []error
}

func (c *checker) fail(path, format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

// typeUID checks the one attribute that is computed from others.
func (c *checker) typeUID(root map[string]any) {
	class, ok1 := whole(root["class_uid"])
	activity, ok2 := whole(root["activity_id"])
	if kind, ok := whole(root["type_uid"]); ok && ok1 && ok2 && kind != class*100+activity {
		c.fail("type_uid", "is %d, not class_uid * 100 + activity_id = %d", kind, class*100+activity)
	}
}

func (c *checker) object(path, name string, members map[string]any) {
	known := schema[name]
	for _, member := range slices.Sorted(maps.Keys(members)) {
		a, ok := known.attributes[member]
		switch at := join(path, member); {
		case !ok:
			c.fail(at, "is no attribute of %s", name)
		case a.profile != "" && !c.profiles[a.profile]:
			c.fail(at, "needs profile %q in metadata.profiles", a.profile)
		default:
			c.attribute(at, a, members[member])
			c.caption(at, a, members[member], members)
		}
	}
	for _, member := range slices.Sorted(maps.Keys(known.attributes)) {
		if _, there := members[member]; known.attributes[member].required && !there {
			c.fail(join(path, member), "is required")
		}
	}
	if len(known.oneOf) > 0 && !slices.ContainsFunc(known.oneOf, func(m string) bool { return members[m] != nil }) {
		c.fail(path, "needs one of %v", known.oneOf)
	}
}

func join(path, member string) string {
	if path == "" {
		return member
	}
	return path + "." + member
}

func (c *checker) attribute(path string, a attribute, value any) {
	if !a.list {
		c.value(path, a, value)
		return
	}
	items, ok := value.([]any)
	if !ok {
		c.fail(path, "is no list")
	}
	if ok && a.required && len(items) == 0 {
		c.fail(path, "is required, and empty")
	}
	for i, item := range items {
		c.value(fmt.Sprintf("%s[%d]", path, i), a, item)
	}
}

func (c *checker) value(path string, a attribute, value any) {
	switch a.kind {
	case text, link:
		c.text(path, a, value)
	case boolean:
		if _, ok := value.(bool); !ok {
			c.fail(path, "is %v, neither true nor false", value)
		}
	case integer, timestamp:
		c.number(path, a, value)
	case nested:
		members, ok := value.(map[string]any)
		if !ok {
			c.fail(path, "is no object")
			return
		}
		c.object(path, a.object, members)
	case anything:
	}
}

func (c *checker) text(path string, a attribute, value any) {
	s, ok := value.(string)
	if !ok {
		c.fail(path, "is %v, which is no text", value)
		return
	}
	if a.required && s == "" {
		c.fail(path, "is required, and empty")
	}
	if u, err := url.Parse(s); a.kind == link && (err != nil || u.Scheme == "" || u.Host == "") {
		c.fail(path, "is %q, which is no absolute url", s)
	}
}

// Bounds of a time in milliseconds that could be meant: 1973 and 5138. Seconds
// are below, nanoseconds above.
const (
	earliest = 100_000_000_000
	latest   = 100_000_000_000_000
)

func (c *checker) number(path string, a attribute, value any) {
	n, ok := whole(value)
	switch {
	case !ok:
		c.fail(path, "is %v, which is no whole number", value)
	case a.kind == timestamp && (n < earliest || n > latest):
		c.fail(path, "is %d, which is no time in milliseconds", n)
	case a.names != nil && a.names[n] == "":
		c.fail(path, "is %d, which the enum does not have", n)
	}
}

// caption checks that the text beside an enum says what its value means. For
// the value Other, the text is the source's own and required.
func (c *checker) caption(path string, a attribute, value any, members map[string]any) {
	n, ok := whole(value)
	if !ok || a.names == nil {
		return
	}
	caption, there := members[a.caption]
	switch {
	case n == otherValue && !there:
		c.fail(path, "is Other, so %s must say what it is", a.caption)
	case n != otherValue && there && caption != a.names[n]:
		c.fail(path, "is %d, that is %q, but %s says %q", n, a.names[n], a.caption, caption)
	}
}

// whole returns a JSON number without fraction.
func whole(value any) (int64, bool) {
	number, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	n, err := number.Int64()
	return n, err == nil
}
