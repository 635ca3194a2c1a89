// Package ocsf writes signals as Detection Findings of the Open Cybersecurity
// Schema Framework, version 1.8.0, and checks such findings against the part of
// that schema that they use. It is pure: it knows neither where a finding goes
// nor who asked for it.
//
// One signal is one finding: finding_info.uid stays the same from Create over
// Update to Close. See https://schema.ocsf.io/1.8.0/classes/detection_finding.
package ocsf
