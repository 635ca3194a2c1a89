package memberwatch

import "fmt"

// What people read, and what the audit log keeps, spells states as words: a
// number would mean something else once the list grows.

// named is a small enumeration with a name for each value.
type named interface {
	~uint8
	fmt.Stringer
}

// parseNamed finds the value of a name among the first n values.
func parseNamed[T named](text []byte, n T) (T, error) {
	for v := range n {
		if v.String() == string(text) {
			return v, nil
		}
	}
	return 0, invalidf("NAME_UNKNOWN", "%q is not a known name", text)
}

// MarshalText spells the severity.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a severity.
func (s *Severity) UnmarshalText(text []byte) (err error) {
	*s, err = parseNamed(text, SeverityCritical+1)
	return err
}

// MarshalText spells the state.
func (s CaseState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state.
func (s *CaseState) UnmarshalText(text []byte) (err error) {
	*s, err = parseNamed(text, CaseStates)
	return err
}

// MarshalText spells the action.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads an action.
func (a *Action) UnmarshalText(text []byte) (err error) {
	*a, err = parseNamed(text, Actions)
	return err
}

// MarshalText spells the verdict.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads a verdict.
func (v *Verdict) UnmarshalText(text []byte) (err error) {
	*v, err = parseNamed(text, Verdicts)
	return err
}

// MarshalText spells the state of triage.
func (s TriageState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state of triage.
func (s *TriageState) UnmarshalText(text []byte) (err error) {
	*s, err = parseNamed(text, TriageStates)
	return err
}

// MarshalText spells the kind.
func (k RemediationKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a kind of remediation.
func (k *RemediationKind) UnmarshalText(text []byte) (err error) {
	*k, err = parseNamed(text, RemediationKinds)
	return err
}

// MarshalText spells the state.
func (s RemediationState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state of a remediation.
func (s *RemediationState) UnmarshalText(text []byte) (err error) {
	*s, err = parseNamed(text, RemediationStates)
	return err
}

// MarshalText spells the move.
func (m Move) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads a move.
func (m *Move) UnmarshalText(text []byte) (err error) {
	*m, err = parseNamed(text, Moves)
	return err
}

// MarshalText spells the role.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a role.
func (r *Role) UnmarshalText(text []byte) (err error) {
	*r, err = parseNamed(text, RoleCount)
	return err
}
