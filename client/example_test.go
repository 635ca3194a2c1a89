package client_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/client"
)

// A gateway keeps one client for its life, and hashes every id of a member
// before it leaves the platform.
func Example() {
	hasher, err := client.NewHasher([]byte("the platform's key: 32 random bytes"))
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.New(client.Options{
		Producer: "gw-eu-1-shard-07",
		OnRejected: func(r client.Rejection) {
			log.Printf("event %d rejected: %s: %s", r.Sequence, r.Reason, r.Message)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	defer func() {
		if err := c.Close(ctx); err != nil {
			log.Print(err) // says how many events the service has not acknowledged
		}
	}()
	err = c.Append(ctx, memberwatch.Event{
		App:         "groupplanner",
		Developer:   "acme",
		Time:        time.Now().UnixNano(),
		Endpoint:    "groups.members.list",
		DataClasses: []string{"group_membership", "profile_name"},
		Group:       "chess-friends",
		Disclosed:   []uint64{hasher.Hash("member-1"), hasher.Hash("member-2")},
		Actor:       hasher.Hash("admin-9"),
	})
	if err != nil {
		log.Print(err) // not kept: nothing of it will ever be sent
	}
}

func ExampleHasher() {
	h, err := client.NewHasher([]byte("the platform's key: 32 random bytes"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%016x\n", h.Hash("member-1"))
	fmt.Printf("%016x\n", h.Hash("member-2"))
	// Output:
	// 271ab77973f06644
	// cfadeb1c859623de
}
