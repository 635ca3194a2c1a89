package scenario

import "slices"

// reads says whose members a call discloses.
type reads int

const (
	readNone    reads = iota // settings
	readCount                // nobody: writes and counts in a group that the acting user runs
	readSelf                 // the acting user alone
	readFriends              // people the acting user is connected with
	readRoster               // one page of a group that the acting user runs
	readFeed                 // authors of the newest posts of such a group
	readLookup               // contacts of the acting user, asked for by id
)

// call is one kind of call that an app makes.
type call struct {
	endpoint string
	classes  []string
	reads    reads
	weight   float64 // share of the app's calls, relative to its other kinds
	low      int     // fewest members on a page
	high     int     // most members on a page
	records  int     // records per disclosed member, when more than one
	miss     float64 // share of the asked-for ids that do not exist
	denied   float64 // share of calls the gateway refuses
}

// category is what apps of one purpose have in common.
type category struct {
	name    string
	noun    string  // the second half of display names
	weight  float64 // share of the platform's apps
	curve   curve
	weekend float64 // level of a weekend day relative to a working day
	holiday float64 // level of a holiday relative to the same weekday
	batch   float64 // share of calls that machines make at any hour
	// perActor is how many calls an active actor makes a day.
	perActor float64
	// groups times the root of the daily calls is how many groups an app
	// manages: an agency app of 10,000 calls has some hundreds.
	groups float64
	calls  []call

	season *season
}

// The platform's data classes.
const (
	classRoster   = "group_membership"
	className     = "profile_name"
	classPicture  = "profile_picture"
	classActivity = "group_activity"
	classFriends  = "friends_list"
	classContact  = "profile_contact"
	classBasic    = "profile_basic"
	classPhotos   = "photos"
	classInsights = "group_insights"
	classEvents   = "event_attendance"
	classLocation = "location"
)

var (
	callRoster   = call{endpoint: "/groups/{id}/members", classes: []string{classRoster, className, classPicture}, reads: readRoster, weight: 2, low: 10, high: 50, denied: 0.004}
	callFeed     = call{endpoint: "/groups/{id}/feed", classes: []string{classActivity}, reads: readFeed, weight: 5, low: 3, high: 15, records: 2, denied: 0.003}
	callComments = call{endpoint: "/posts/{id}/comments", classes: []string{classActivity, className}, reads: readFeed, weight: 3, low: 2, high: 20, denied: 0.002}
	callInsights = call{endpoint: "/groups/{id}/insights", classes: []string{classInsights}, reads: readCount, weight: 2}
	callPublish  = call{endpoint: "/groups/{id}/posts:create", classes: nil, reads: readCount, weight: 2, denied: 0.005}
	callMe       = call{endpoint: "/me", classes: []string{classBasic, className}, reads: readSelf, weight: 4, low: 1, high: 1}
	callFriends  = call{endpoint: "/me/friends", classes: []string{classFriends, className}, reads: readFriends, weight: 3, low: 5, high: 30, denied: 0.01}
	callPhotos   = call{endpoint: "/me/photos", classes: []string{classPhotos}, reads: readSelf, weight: 3, low: 1, high: 1}
	callContacts = call{endpoint: "/users:lookup", classes: []string{classContact}, reads: readLookup, weight: 2, low: 5, high: 25, miss: 0.08, denied: 0.01}
	callUsers    = call{endpoint: "/users/{id}", classes: []string{classBasic, className, classPicture}, reads: readFriends, weight: 3, low: 1, high: 3, miss: 0.01, denied: 0.005}
	callEvents   = call{endpoint: "/events/{id}/attendees", classes: []string{classEvents, className}, reads: readRoster, weight: 2, low: 5, high: 30, denied: 0.004}
	callNearby   = call{endpoint: "/users:nearby", classes: []string{classLocation, classBasic}, reads: readFriends, weight: 4, low: 4, high: 20, denied: 0.01}
)

// categories returns the kinds of apps that platforms have. Shares and levels
// are ours; what matters is that categories differ in every respect a detector
// looks at.
func categories() []category {
	list := []category{
		{name: "social_management", noun: "Publisher", weight: 16, curve: office, weekend: 0.4, holiday: 0.45, batch: 0.25, perActor: 8, groups: 3, calls: []call{callRoster, callFeed, callComments, callInsights, callPublish}},
		{name: "video_streaming", noun: "Live", weight: 9, curve: evening, weekend: 1.35, holiday: 1.3, batch: 0.1, perActor: 6, groups: 1.5, calls: []call{callFeed, callComments, callRoster, callPublish, callMe}},
		{name: "community_tools", noun: "Community", weight: 9, curve: evening, weekend: 1.1, holiday: 1.05, batch: 0.15, perActor: 5, groups: 2, calls: []call{callRoster, callFeed, callEvents, callPublish}},
		{name: "analytics", noun: "Insights", weight: 9, curve: nightly, weekend: 0.8, holiday: 0.8, batch: 0.6, perActor: 12, groups: 2, calls: []call{callInsights, callFeed, callRoster}},
		{name: "crm", noun: "Desk", weight: 8, curve: office, weekend: 0.25, holiday: 0.3, batch: 0.2, perActor: 9, groups: 0.8, calls: []call{callContacts, callUsers, callRoster, callMe}},
		{name: "advertising", noun: "Ads", weight: 7, curve: office, weekend: 0.6, holiday: 0.7, batch: 0.4, perActor: 10, groups: 0.8, calls: []call{callInsights, callFeed, callUsers}},
		{name: "games", noun: "Games", weight: 13, curve: evening, weekend: 1.4, holiday: 1.4, batch: 0.05, perActor: 4, calls: []call{callMe, callFriends}},
		{name: "photo", noun: "Photo", weight: 7, curve: evening, weekend: 1.3, holiday: 1.35, batch: 0.05, perActor: 3, calls: []call{callMe, callPhotos, callFriends}},
		{name: "dating", noun: "Match", weight: 6, curve: evening, weekend: 1.2, holiday: 1.1, batch: 0.02, perActor: 5, calls: []call{callMe, callNearby, callFriends}},
		{name: "news", noun: "News", weight: 6, curve: commute, weekend: 0.8, holiday: 0.8, batch: 0.1, perActor: 2.5, groups: 0.4, calls: []call{callMe, callFeed, callComments}},
		{name: "utilities", noun: "Tools", weight: 7, curve: commute, weekend: 0.9, holiday: 0.8, batch: 0.3, perActor: 2.5, calls: []call{callMe, callContacts}},
		{name: "research", noun: "Lab", weight: 3, curve: nightly, weekend: 0.7, holiday: 0.6, batch: 0.7, perActor: 20, groups: 1, calls: []call{callFeed, callRoster, callUsers}},
	}
	for i := range list {
		list[i].season = newSeason(list[i].curve, list[i].weekend)
	}
	return list
}

// meanPage returns how many members one call of the kind discloses on average,
// small groups aside.
func (c *call) meanPage() float64 {
	if c.reads <= readCount {
		return 0
	}
	return float64(c.low+c.high) / 2 * (1 - c.miss)
}

// repertoire is the calls an app makes at a time, with their cumulated shares.
type repertoire struct {
	calls []call
	upTo  []float64 // cumulated, the last is 1
	share float64   // of the calls the app would make without restrictions
}

// newRepertoire keeps the calls that touch none of the stopped classes.
func newRepertoire(calls []call, stopped func(class string) bool) *repertoire {
	r := &repertoire{}
	var kept, all float64
	for _, c := range calls {
		all += c.weight
		if slices.ContainsFunc(c.classes, stopped) {
			continue
		}
		kept += c.weight
		r.calls = append(r.calls, c)
		r.upTo = append(r.upTo, kept)
	}
	for i := range r.upTo {
		r.upTo[i] /= kept
	}
	r.share = kept / all
	return r
}

// has tells whether it calls an endpoint.
func (r *repertoire) has(endpoint string) bool {
	return slices.ContainsFunc(r.calls, func(c call) bool { return c.endpoint == endpoint })
}

// pick returns the call that a uniform value in [0, 1) falls on.
func (r *repertoire) pick(u float64) *call {
	for i, upTo := range r.upTo {
		if u < upTo {
			return &r.calls[i]
		}
	}
	return &r.calls[len(r.calls)-1]
}

// meanMembers returns how many members a call discloses on average.
func (r *repertoire) meanMembers() float64 {
	var mean, before float64
	for i := range r.calls {
		mean += (r.upTo[i] - before) * r.calls[i].meanPage()
		before = r.upTo[i]
	}
	return mean
}
