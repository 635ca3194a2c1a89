package filter

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/memberwatch/memberwatch"
)

// ParseOrder reads the order of a list as AIP-132 (https://google.aip.dev/132) writes it: a field, and desc for a descending
// order. An empty text is the usual order. One field is enough for every list, so more of them are refused. An error is a
// *memberwatch.ReasonError of kind memberwatch.ErrInvalid that says what is known instead.
func ParseOrder(text string, fields map[string]memberwatch.OrderField) (memberwatch.Order, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return memberwatch.Order{}, nil
	}
	by, known := fields[words[0]]
	direction := strings.Join(words[1:], " ")
	switch {
	case strings.Contains(text, ","):
		return memberwatch.Order{}, orderInvalid("order %q has more than one field", text)
	case !known:
		return memberwatch.Order{}, orderInvalid("unknown field %q, fields are %s", words[0], strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
	case direction != "" && direction != "asc" && direction != "desc":
		return memberwatch.Order{}, orderInvalid("%q after field %q is no direction", direction, words[0])
	}
	return memberwatch.Order{By: by, Ascending: direction != "desc"}, nil
}

func orderInvalid(format string, args ...any) error {
	return &memberwatch.ReasonError{
		Kind: memberwatch.ErrInvalid, Reason: "ORDER_INVALID", Message: fmt.Sprintf(format, args...),
		Hint: "write a field alone, or with desc after it",
	}
}
