package filter

import "strings"

// operators lists the comparisons, longer ones before their prefixes.
var operators = []string{"!=", "<=", ">=", "=", "<", ">", ":"}

// blank holds the characters between words.
const blank = " \t\r\n"

// scanner walks over the text of a filter. Its methods skip blanks first and leave the position alone where what they
// look for is not there.
type scanner struct {
	text string
	at   int
}

func (s *scanner) space() {
	for s.at < len(s.text) && strings.IndexByte(blank, s.text[s.at]) >= 0 {
		s.at++
	}
}

func (s *scanner) done() bool {
	s.space()
	return s.at == len(s.text)
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.done() {
		return 0
	}
	return s.text[s.at]
}

// rest returns the start of what has not been read, for messages.
func (s *scanner) rest() string {
	const shown = 20
	return s.text[s.at:min(len(s.text), s.at+shown)]
}

func (s *scanner) symbol(symbol string) bool {
	s.space()
	if !strings.HasPrefix(s.text[s.at:], symbol) {
		return false
	}
	s.at += len(symbol)
	return true
}

// keyword takes a word in capitals, if it is not the start of a longer one.
func (s *scanner) keyword(word string) bool {
	start := s.at
	s.space()
	if s.name() != word {
		s.at = start
		return false
	}
	return true
}

func (s *scanner) operator() (string, bool) {
	for _, op := range operators {
		if s.symbol(op) {
			return op, true
		}
	}
	return "", false
}

// name takes letters, digits, dots and underscores; it may be empty.
func (s *scanner) name() string {
	start := s.at
	for s.at < len(s.text) && (isLetter(s.text[s.at]) || s.text[s.at] == '.' || s.at > start && isDigit(s.text[s.at])) {
		s.at++
	}
	return s.text[start:s.at]
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// value is what a field is compared with: the text between wildcards. One piece means that there are none.
type value struct {
	pieces []string
}

// String returns the value with its wildcards.
func (v value) String() string { return strings.Join(v.pieces, "*") }

// value takes a quoted string, or a bare word up to a blank, a parenthesis or a quote.
func (s *scanner) value() (value, error) {
	s.space()
	start, quote := s.at, byte(0)
	if c := s.peek(); c == '"' || c == '\'' {
		quote = c
		s.at++
	}
	var pieces []string
	var piece []byte
	for s.at < len(s.text) {
		c := s.text[s.at]
		switch {
		case quote != 0 && c == quote:
			s.at++
			return value{append(pieces, string(piece))}, nil
		case quote == 0 && strings.IndexByte(blank+`()"'`, c) >= 0:
			return bare(start, s.at, append(pieces, string(piece)))
		case quote != 0 && c == '\\' && s.at+1 < len(s.text):
			s.at++
			piece = append(piece, s.text[s.at])
		case c == '*':
			pieces, piece = append(pieces, string(piece)), nil
		default:
			piece = append(piece, c)
		}
		s.at++
	}
	if quote != 0 {
		return value{}, invalid(start, "string without its closing %c", quote)
	}
	return bare(start, s.at, append(pieces, string(piece)))
}

func bare(start, end int, pieces []string) (value, error) {
	if start == end {
		return value{}, invalid(start, "expected a value")
	}
	return value{pieces}, nil
}
