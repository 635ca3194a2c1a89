package wire

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// EncodeStats returns the message for a snapshot, without what only a server knows: uptime, version, rejected events
// and failed calls.
func EncodeStats(s *memberwatch.Stats) *pb.GetStatsResponse {
	m := &pb.GetStatsResponse{
		EventsApplied:         s.Applied,
		EventsDuplicate:       s.Duplicate,
		EventsLate:            s.Late,
		EventsLostByProducers: s.Lost,
		UnknownDataClasses:    EncodeCounts(s.UnknownClasses),
		SignalsOpened:         s.SignalsOpened,
		SignalsOpen:           s.SignalsOpen,
		Apps:                  s.Apps,
		AppsResident:          s.Resident,
		ControlRevision:       s.Revision,
		StorageError:          s.StorageError,
	}
	for _, p := range s.Producers {
		m.Producers = append(m.Producers, &pb.ProducerStats{
			Producer: string(p.ID), Epoch: p.Epoch, CommittedSequence: p.Committed,
			NewestEventTime: encodeNanos(p.Newest), Live: p.Live,
		})
	}
	for i, p := range s.Partitions {
		m.Partitions = append(m.Partitions, &pb.PartitionStats{
			Partition: int32(i), Watermark: encodeNanos(p.Watermark), EventsApplied: p.Applied, AppsResident: p.Resident,
			Checkpoints: p.Checkpoints, LastCheckpoint: durationpb.New(time.Duration(p.LastCheckpoint)), FileBytes: p.FileBytes,
		})
	}
	return m
}

// DecodeStats returns the snapshot of a message.
func DecodeStats(m *pb.GetStatsResponse) (memberwatch.Stats, error) {
	var d decoder
	s := memberwatch.Stats{
		Applied:        m.GetEventsApplied(),
		Duplicate:      m.GetEventsDuplicate(),
		Late:           m.GetEventsLate(),
		Lost:           m.GetEventsLostByProducers(),
		UnknownClasses: DecodeCounts(m.GetUnknownDataClasses()),
		SignalsOpened:  m.GetSignalsOpened(),
		SignalsOpen:    m.GetSignalsOpen(),
		Apps:           m.GetApps(),
		Resident:       m.GetAppsResident(),
		Revision:       m.GetControlRevision(),
		StorageError:   m.GetStorageError(),
	}
	for _, p := range m.GetProducers() {
		s.Producers = append(s.Producers, memberwatch.ProducerStats{
			ID: memberwatch.ProducerID(p.GetProducer()), Epoch: p.GetEpoch(), Committed: p.GetCommittedSequence(),
			Newest: parse(&d, "newest_event_time", decodeNanos, p.GetNewestEventTime()), Live: p.GetLive(),
		})
	}
	for _, p := range m.GetPartitions() {
		s.Partitions = append(s.Partitions, memberwatch.PartitionStats{
			Watermark: parse(&d, "watermark", decodeNanos, p.GetWatermark()), Applied: p.GetEventsApplied(),
			Resident: p.GetAppsResident(), Checkpoints: p.GetCheckpoints(),
			LastCheckpoint: int64(parse(&d, "last_checkpoint", decodeDuration, p.GetLastCheckpoint())), FileBytes: p.GetFileBytes(),
		})
	}
	return s, d.err
}

// EncodeCounts returns the messages for named counters.
func EncodeCounts(counts []memberwatch.Count) []*pb.NamedCount {
	var messages []*pb.NamedCount
	for _, c := range counts {
		messages = append(messages, &pb.NamedCount{Name: c.Name, Count: c.Count})
	}
	return messages
}

// DecodeCounts returns the named counters of messages.
func DecodeCounts(messages []*pb.NamedCount) []memberwatch.Count {
	var counts []memberwatch.Count
	for _, m := range messages {
		counts = append(counts, memberwatch.Count{Name: m.GetName(), Count: m.GetCount()})
	}
	return counts
}
