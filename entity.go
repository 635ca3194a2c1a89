package memberwatch

import "strings"

// developerMark begins the ids under which developers stand among apps. No text in
// UTF-8 has the byte, so no app's id can begin with it, and in any order such ids
// come after those of apps.
const developerMark = "\xff"

// Entity returns the id under which all of a developer's apps together stand among
// apps, wherever both are kept alike. It is never shown to people.
func (d DeveloperID) Entity() AppID { return AppID(developerMark + string(d)) }

// IsDeveloper tells whether an id among apps stands for a developer.
func (a AppID) IsDeveloper() bool { return strings.HasPrefix(string(a), developerMark) }

// Developer returns whom an id among apps stands for, empty if for an app.
func (a AppID) Developer() DeveloperID {
	d, _ := strings.CutPrefix(string(a), developerMark)
	if len(d) == len(a) {
		return ""
	}
	return DeveloperID(d)
}

// Entity returns whom a signal is about among apps: its app, or its developer if
// it names no app. It is empty for a signal about the whole fleet.
func (s *Signal) Entity() AppID { return entityOf(s.App, s.Developer) }

// Entity returns whom a case is about among apps: its app, or its developer if it
// names no app.
func (c *Case) Entity() AppID { return entityOf(c.App, c.Developer) }

// Entity returns whom an exclusion is about among apps.
func (x *Exclusion) Entity() AppID { return entityOf(x.App, x.Developer) }

// Covers tells whether a case may hold a signal: one of its app, or for a case of a
// developer one of the developer or of any of its apps.
func (c *Case) Covers(s *Signal) bool {
	if c.App != "" {
		return c.App == s.App
	}
	return c.Developer == s.Developer
}

func entityOf(app AppID, developer DeveloperID) AppID {
	if app == "" && developer != "" {
		return developer.Entity()
	}
	return app
}
