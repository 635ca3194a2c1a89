package memberwatch

// Position says where a producer's stream stands. Sequence numbers count
// events from 1.
type Position struct {
	Committed int64 // events up to this one are durable in every partition
	Next      int64 // the next sequence number the service takes
	Epoch     int64 // the number of the producer's newest stream
}

// Batch holds a producer's events Base, Base+1, and so on. An event without an
// app was rejected at the door: it uses up its sequence number and does nothing
// else. The monitor calls Release, if set, once no partition needs the events
// any more; until then the caller must not touch them.
type Batch struct {
	Base   int64
	Events []Event
	Gap    *Gap
	// Complete is the event time up to which the producer has sent everything,
	// nanoseconds since the epoch; 0 says nothing.
	Complete int64
	Release  func()
}

// Gap marks events that a producer dropped before they got a sequence number.
type Gap struct {
	Count int64
	Start int64 // event time of the earliest, nanoseconds since the epoch
	End   int64 // event time of the latest
}

// AppView is an app as declared and as seen.
type AppView struct {
	App
	Declared     bool
	FirstEvent   int64 // event time, 0 when never seen
	LastEvent    int64
	Events       int64
	Learning     Learning
	LearningDays int32
}

// Stats is a snapshot of the service.
type Stats struct {
	Applied        int64 // events, since the data directory was created
	Duplicate      int64 // events, in this process
	Late           int64 // events, since the data directory was created
	Lost           int64 // events producers said they dropped, likewise
	UnknownClasses []Count
	SignalsOpened  int64
	SignalsOpen    int64
	Apps           int64
	Resident       int64 // apps in memory
	Producers      []ProducerStats
	Partitions     []PartitionStats
	Revision       int64  // newest control change
	StorageError   string // why no checkpoint can be written; empty when all is well
}

// Count is a counter with a name.
type Count struct {
	Name  string
	Count int64
}

// ProducerStats describes one producer.
type ProducerStats struct {
	ID        ProducerID
	Epoch     int64
	Committed int64
	Newest    int64 // event time of its newest event
	Live      bool  // it holds back the watermark
}

// PartitionStats describes one partition.
type PartitionStats struct {
	Watermark      int64 // windows that end at or before it are closed
	Applied        int64
	Resident       int64
	Checkpoints    int64 // in this process
	LastCheckpoint int64 // nanoseconds the newest one took
	FileBytes      int64
}
