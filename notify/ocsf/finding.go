package ocsf

// Schema is the URL of the class that a Finding is an instance of.
const Schema = "https://schema.ocsf.io/1.8.0/classes/detection_finding"

// version is the version of the schema.
const version = "1.8.0"

// Numbers of the class, from the schema's classes/detection_finding.
const (
	categoryFindings = 2
	classDetection   = 2004
)

// Activity is what happened to a finding.
type Activity int

// Activities, with their numbers in the schema.
const (
	Create Activity = 1
	Update Activity = 2
	Close  Activity = 3
)

// Finding is a Detection Finding: the attributes that we fill, in the order in
// which people read them. Times are milliseconds since the epoch.
type Finding struct {
	ActivityID      Activity     `json:"activity_id"`
	ActivityName    string       `json:"activity_name"`
	CategoryUID     int          `json:"category_uid"`
	ClassUID        int          `json:"class_uid"`
	TypeUID         int          `json:"type_uid"`
	Time            int64        `json:"time"`
	StartTime       int64        `json:"start_time"`
	EndTime         int64        `json:"end_time"`
	Count           int64        `json:"count"`
	SeverityID      int          `json:"severity_id"`
	Severity        string       `json:"severity"`
	StatusID        int          `json:"status_id"`
	Status          string       `json:"status"`
	IsAlert         bool         `json:"is_alert"`
	ConfidenceID    int          `json:"confidence_id"`
	Confidence      string       `json:"confidence"`
	Message         string       `json:"message"`
	Metadata        Metadata     `json:"metadata"`
	Info            FindingInfo  `json:"finding_info"`
	Resources       []Resource   `json:"resources,omitempty"`
	AnomalyAnalyses []Analysis   `json:"anomaly_analyses,omitempty"`
	SrcURL          string       `json:"src_url,omitempty"`
	VerdictID       int          `json:"verdict_id"`
	Verdict         string       `json:"verdict"`
	PriorityID      int          `json:"priority_id"`
	Priority        string       `json:"priority"`
	Unmapped        SignalExtras `json:"unmapped"`
}

// Metadata says which schema, whose event and which one.
type Metadata struct {
	Version  string   `json:"version"`
	UID      string   `json:"uid"`
	Profiles []string `json:"profiles"`
	Product  Product  `json:"product"`
}

// Product is who found it.
type Product struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name"`
	Version    string `json:"version,omitempty"`
}

// FindingInfo is what stays of a finding over its life.
type FindingInfo struct {
	UID           string   `json:"uid"`
	Title         string   `json:"title"`
	Types         []string `json:"types"`
	CreatedTime   int64    `json:"created_time"`
	FirstSeenTime int64    `json:"first_seen_time"`
	LastSeenTime  int64    `json:"last_seen_time"`
	SrcURL        string   `json:"src_url,omitempty"`
	Analytic      Analytic `json:"analytic"`
}

// Analytic is the detector that found it.
type Analytic struct {
	TypeID  int    `json:"type_id"`
	Type    string `json:"type"`
	UID     string `json:"uid"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	StateID int    `json:"state_id"`
	State   string `json:"state"`
}

// Resource is an app or its developer.
type Resource struct {
	UID    string `json:"uid"`
	Name   string `json:"name"`
	Type   string `json:"type"`
	RoleID int    `json:"role_id"`
	Role   string `json:"role"`
}

// Analysis compares one feature with what was expected of it.
type Analysis struct {
	Targets   []Target      `json:"analysis_targets"`
	Baselines []Measurement `json:"baselines,omitempty"`
	Anomalies []Measurement `json:"anomalies"`
}

// Target is whom an analysis is about.
type Target struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Measurement is a baseline or an anomaly of one feature.
type Measurement struct {
	Parameter    string        `json:"observation_parameter"`
	Type         string        `json:"observation_type"`
	Pattern      string        `json:"observed_pattern,omitempty"`
	Observations []Observation `json:"observations"`
}

// Observation is one value; the schema has it as a text.
type Observation struct {
	Value    string    `json:"value"`
	Count    int64     `json:"count,omitempty"`
	Timespan *Timespan `json:"timespan,omitempty"`
}

// Timespan is the window of a value.
type Timespan struct {
	StartTime int64 `json:"start_time"`
	EndTime   int64 `json:"end_time"`
}

// SignalExtras is what the schema has no attribute for.
type SignalExtras struct {
	App              string        `json:"app,omitempty"`
	Developer        string        `json:"developer,omitempty"`
	Revision         int64         `json:"revision"`
	Provisional      bool          `json:"provisional"`
	ReturnPeriodDays float64       `json:"return_period_days,omitempty"`
	FleetFactor      float64       `json:"fleet_factor,omitempty"`
	Restriction      string        `json:"restriction,omitempty"`
	MembersExposed   *Interval     `json:"members_exposed,omitempty"`
	Factors          []FactorShare `json:"factors,omitempty"`
	Caveats          []string      `json:"caveats,omitempty"`
}

// Interval is a count with its 95 % interval.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// FactorShare is a feature's part in the finding; all parts sum to 1.
type FactorShare struct {
	Feature          string  `json:"feature"`
	Share            float64 `json:"share"`
	PValue           float64 `json:"p_value,omitempty"`
	ReturnPeriodDays float64 `json:"return_period_days,omitempty"`
}
