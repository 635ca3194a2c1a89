package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/memberwatch/memberwatch/bench/calibration"
	"github.com/memberwatch/memberwatch/bench/lookback"
	"github.com/memberwatch/memberwatch/bench/nab"
	"github.com/memberwatch/memberwatch/bench/throughput"
	"github.com/memberwatch/memberwatch/bench/trial"
)

// TestShapes: programs read these keys of results, so they stay, even where
// there is nothing to say. Others may stand beside them.
func TestShapes(t *testing.T) {
	for name, test := range map[string]struct {
		result any
		keys   string // paths; 0 is the first item of a list
	}{
		"nab": {
			nab.Report{Detections: nab.Rows{"g/a": {7}}},
			"standard reward_low_fp reward_low_fn threshold threshold_origin detections.g/a.0",
		},
		"calibration": {
			calibration.Report{Sets: []calibration.Stratum{{}}},
			"sets.0.name sets.0.stratum sets.0.points sets.0.realised_over_nominal.1e-2 sets.0.realised_over_nominal.1e-3 " +
				"sets.0.realised_over_nominal.1e-4 sets.0.signals_per_entity_year sets.0.budget_realised_over_nominal",
		},
		"scenarios": {
			trial.Result{Scenarios: []trial.Row{{}}},
			"false_alerts_per_200_app_weeks budget_realised_over_nominal scenarios.0.id scenarios.0.rate scenarios.0.runs scenarios.0.recall " +
				"scenarios.0.recall_low scenarios.0.recall_high scenarios.0.delay_hours_p50 scenarios.0.leaked_share_p50",
		},
		"throughput": {
			throughput.Result{},
			"drain_events_per_s scored_events_per_s ratio server_cpu_ns_per_event allocs_per_event ack_ms_p50 ack_ms_p99 bytes_per_active_app",
		},
		"lookback": {lookback.Result{}, "apps days query_ms_p50 query_ms_p99"},
		"demo": {
			demoResult{Planted: []plantedRow{{}}, Signals: []signalRow{{}}},
			"planted.0.app planted.0.kind planted.0.start signals.0.app signals.0.kind signals.0.opened signals.0.severity signals.0.sentence " +
				"found missed false",
		},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(test.result)
			if err != nil {
				t.Fatal(err)
			}
			var result any
			if err := json.Unmarshal(text, &result); err != nil {
				t.Fatal(err)
			}
			for path := range strings.FieldsSeq(test.keys) {
				if !holds(result, strings.Split(path, ".")) {
					t.Errorf("no %s in %s", path, text)
				}
			}
		})
	}
}

// holds tells whether a path leads to a value.
func holds(value any, path []string) bool {
	if len(path) == 0 {
		return value != nil
	}
	switch v := value.(type) {
	case map[string]any:
		below, ok := v[path[0]]
		return ok && holds(below, path[1:])
	case []any:
		n, err := strconv.Atoi(path[0])
		return err == nil && n < len(v) && holds(v[n], path[1:])
	default:
		return false
	}
}
