package ocsf

// kind is the type of an attribute.
type kind uint8

const (
	text      kind = iota
	integer        // a whole number
	boolean        // true or false
	timestamp      // milliseconds since the epoch
	link           // an absolute URL
	anything       // whatever JSON can hold
	nested         // an object of the schema
)

// attribute is what the schema says about one attribute of an object.
type attribute struct {
	kind     kind
	object   string // of nested ones
	list     bool
	required bool
	// names maps the values of an enum to their captions.
	names map[int64]string
	// caption is the attribute that holds the caption of an enum's value.
	caption string
	// profile must be among metadata.profiles where the attribute is used.
	profile string
}

// object is what the schema says about one object.
type object struct {
	attributes map[string]attribute
	// oneOf lists attributes of which at least one must be there.
	oneOf []string
}

// schema is a part of the OCSF schema 1.8.0: the Detection Finding with the
// objects and attributes that a finding about an app's behaviour can use, as
// the schema's classes, objects and profiles define them (ocsf-schema, tag
// 1.8.0: events/findings/detection_finding, objects/*, profiles/incident). What
// is not listed here counts as unknown: it may be in the schema, but we do not
// write it. Attributes that only say the same again, such as time_dt, are left
// out.
var schema = map[string]object{
	classObject: {attributes: map[string]attribute{
		"activity_id":      {kind: integer, required: true, names: activities, caption: "activity_name"},
		"activity_name":    {kind: text},
		"anomaly_analyses": {kind: nested, object: "anomaly_analysis", list: true},
		"category_name":    {kind: text},
		"category_uid":     {kind: integer, required: true, names: map[int64]string{categoryFindings: "Findings"}, caption: "category_name"},
		"class_name":       {kind: text},
		"class_uid":        {kind: integer, required: true, names: map[int64]string{classDetection: "Detection Finding"}, caption: "class_name"},
		"comment":          {kind: text},
		"confidence":       {kind: text},
		"confidence_id":    {kind: integer, names: confidences, caption: "confidence"},
		"confidence_score": {kind: integer},
		"count":            {kind: integer},
		"duration":         {kind: integer},
		"end_time":         {kind: timestamp},
		"finding_info":     {kind: nested, object: "finding_info", required: true},
		"impact":           {kind: text, profile: incident},
		"impact_id":        {kind: integer, profile: incident, names: impacts, caption: "impact"},
		"impact_score":     {kind: integer, profile: incident},
		"is_alert":         {kind: boolean},
		"message":          {kind: text},
		"metadata":         {kind: nested, object: "metadata", required: true},
		"priority":         {kind: text, profile: incident},
		"priority_id":      {kind: integer, profile: incident, names: priorities, caption: "priority"},
		"raw_data":         {kind: text},
		"resources":        {kind: nested, object: "resource_details", list: true},
		"risk_details":     {kind: text},
		"risk_level":       {kind: text},
		"risk_level_id":    {kind: integer, names: risks, caption: "risk_level"},
		"risk_score":       {kind: integer},
		"severity":         {kind: text},
		"severity_id":      {kind: integer, required: true, names: severities, caption: "severity"},
		"src_url":          {kind: link, profile: incident},
		"start_time":       {kind: timestamp},
		"status":           {kind: text},
		"status_code":      {kind: text},
		"status_detail":    {kind: text},
		"status_id":        {kind: integer, names: statuses, caption: "status"},
		"time":             {kind: timestamp, required: true},
		"timezone_offset":  {kind: integer},
		"type_name":        {kind: text},
		"type_uid":         {kind: integer, required: true},
		"unmapped":         {kind: anything},
		"verdict":          {kind: text, profile: incident},
		"verdict_id":       {kind: integer, profile: incident, names: verdicts, caption: "verdict"},
	}},
	"metadata": {attributes: map[string]attribute{
		"correlation_uid": {kind: text},
		"event_code":      {kind: text},
		"labels":          {kind: text, list: true},
		"log_name":        {kind: text},
		"log_provider":    {kind: text},
		"log_version":     {kind: text},
		"logged_time":     {kind: timestamp},
		"modified_time":   {kind: timestamp},
		"original_time":   {kind: text},
		"processed_time":  {kind: timestamp},
		"product":         {kind: nested, object: "product", required: true},
		"profiles":        {kind: text, list: true},
		"sequence":        {kind: integer},
		"tenant_uid":      {kind: text},
		"uid":             {kind: text},
		"version":         {kind: text, required: true},
	}},
	"product": {
		attributes: map[string]attribute{
			"lang": {kind: text}, "name": {kind: text}, "path": {kind: text}, "uid": {kind: text},
			"url_string": {kind: link}, "vendor_name": {kind: text}, "version": {kind: text},
		},
		oneOf: []string{"name", "uid"},
	},
	"finding_info": {attributes: map[string]attribute{
		"analytic":             {kind: nested, object: "analytic"},
		"created_time":         {kind: timestamp},
		"data_sources":         {kind: text, list: true},
		"desc":                 {kind: text},
		"first_seen_time":      {kind: timestamp},
		"last_seen_time":       {kind: timestamp},
		"modified_time":        {kind: timestamp},
		"product":              {kind: nested, object: "product"},
		"product_uid":          {kind: text},
		"related_analytics":    {kind: nested, object: "analytic", list: true},
		"related_events_count": {kind: integer},
		"src_url":              {kind: link},
		"title":                {kind: text},
		"types":                {kind: text, list: true},
		"uid":                  {kind: text, required: true},
		"uid_alt":              {kind: text},
	}},
	"analytic": {
		attributes: map[string]attribute{
			"algorithm": {kind: text}, "category": {kind: text}, "desc": {kind: text}, "name": {kind: text},
			"state": {kind: text}, "state_id": {kind: integer, names: analyticStates, caption: "state"},
			"type": {kind: text}, "type_id": {kind: integer, required: true, names: analyticTypes, caption: "type"},
			"uid": {kind: text}, "version": {kind: text},
		},
		oneOf: []string{"name", "uid"},
	},
	"resource_details": {
		attributes: map[string]attribute{
			"created_time": {kind: timestamp}, "criticality": {kind: text}, "data": {kind: anything}, "labels": {kind: text, list: true},
			"modified_time": {kind: timestamp}, "name": {kind: text}, "namespace": {kind: text},
			"role": {kind: text}, "role_id": {kind: integer, names: roles, caption: "role"},
			"type": {kind: text}, "uid": {kind: text}, "uid_alt": {kind: text}, "version": {kind: text},
		},
		oneOf: []string{"name", "uid"},
	},
	"anomaly_analysis": {attributes: map[string]attribute{
		"analysis_targets": {kind: nested, object: "analysis_target", list: true, required: true},
		"anomalies":        {kind: nested, object: "measurement", list: true, required: true},
		"baselines":        {kind: nested, object: "measurement", list: true},
	}},
	"analysis_target": {attributes: map[string]attribute{
		"name": {kind: text, required: true}, "type": {kind: text},
	}},
	// The objects anomaly and baseline have the same attributes.
	"measurement": {attributes: map[string]attribute{
		"observation_parameter": {kind: text, required: true},
		"observation_type":      {kind: text},
		"observations":          {kind: nested, object: "observation", list: true, required: true},
		"observed_pattern":      {kind: text},
	}},
	"observation": {attributes: map[string]attribute{
		"count": {kind: integer}, "timespan": {kind: nested, object: "timespan"}, "value": {kind: text, required: true},
	}},
	"timespan": {
		attributes: map[string]attribute{
			"duration": {kind: integer}, "duration_days": {kind: integer}, "duration_hours": {kind: integer},
			"duration_mins": {kind: integer}, "duration_secs": {kind: integer},
			"end_time": {kind: timestamp}, "start_time": {kind: timestamp},
			"type": {kind: text}, "type_id": {kind: integer, names: spans, caption: "type"},
		},
		oneOf: []string{"duration", "duration_days", "duration_hours", "duration_mins", "duration_secs", "end_time", "start_time"},
	},
}

const (
	// classObject is the root of a finding.
	classObject = "detection_finding"
	// incident is the profile that adds review to a finding.
	incident = "incident"
	// otherValue is the value of an enum whose caption is the source's own.
	otherValue = 99
)

// Values of the enums, from the schema.
var (
	activities     = enum("Create", "Update", "Close")
	severities     = with(enum("Informational", "Low", "Medium", "High", "Critical", "Fatal"), 0, "Unknown")
	statuses       = enum("New", "In Progress", "Suppressed", "Resolved", "Archived", "Deleted")
	confidences    = enum("Low", "Medium", "High")
	impacts        = enum("Low", "Medium", "High", "Critical")
	priorities     = enum("Low", "Medium", "High", "Critical")
	risks          = with(enum("Low", "Medium", "High", "Critical"), 0, "Info")
	analyticTypes  = enum("Rule", "Behavioral", "Statistical", "Learning (ML/DL)")
	analyticStates = enum("Active", "Suppressed", "Experimental")
	roles          = enum("Target", "Actor", "Affected", "Related")
	spans          = enum("Milliseconds", "Seconds", "Minutes", "Hours", "Days", "Weeks", "Months", "Years", "Time Interval")
	verdicts       = enum("False Positive", "True Positive", "Disregard", "Suspicious", "Benign", "Test", "Insufficient Data",
		"Security Risk", "Managed Externally", "Duplicate")
)

// enum numbers captions from 1, and adds Unknown as 0 and Other as 99, which
// every enum has.
func enum(captions ...string) map[int64]string {
	names := map[int64]string{0: "Unknown", otherValue: "Other"}
	for i, caption := range captions {
		names[int64(i)+1] = caption
	}
	return names
}

// with changes one caption.
func with(names map[int64]string, value int64, caption string) map[int64]string {
	names[value] = caption
	return names
}
