// Package wire translates between the contract (package memberwatchv1) and the words of the domain (package
// memberwatch), in both directions, and decodes event batches without copying them. It knows shapes, not rules: whether
// an event may be applied or a request makes sense is for its callers to decide.
//
// Encode functions go from words to contract and cannot fail. Decode functions go the other way; where a message can
// hold what the words cannot, such as a resource name of another collection, they return a *memberwatch.ReasonError of
// kind memberwatch.ErrInvalid.
package wire

import (
	"fmt"
	"strings"

	"github.com/memberwatch/memberwatch"
)

// Collections of resource names, as in apps/{app}.
const (
	appCollection         = "apps/"
	restrictionCollection = "restrictions/"
	signalCollection      = "signals/"
)

// AppName returns the resource name of an app, or nothing for no app.
func AppName(id memberwatch.AppID) string { return resourceName(appCollection, string(id)) }

// RestrictionName returns the resource name of a restriction, or nothing for none.
func RestrictionName(id memberwatch.RestrictionID) string {
	return resourceName(restrictionCollection, string(id))
}

// SignalName returns the resource name of a signal, or nothing for none.
func SignalName(id memberwatch.SignalID) string { return resourceName(signalCollection, string(id)) }

// ParseAppName returns the app that a resource name such as apps/crm names.
func ParseAppName(name string) (memberwatch.AppID, error) {
	id, err := parseName(appCollection, name)
	return memberwatch.AppID(id), err
}

// ParseRestrictionName returns the restriction that a resource name such as restrictions/groups-2018 names.
func ParseRestrictionName(name string) (memberwatch.RestrictionID, error) {
	id, err := parseName(restrictionCollection, name)
	return memberwatch.RestrictionID(id), err
}

// ParseSignalName returns the signal that a resource name such as signals/abc names.
func ParseSignalName(name string) (memberwatch.SignalID, error) {
	id, err := parseName(signalCollection, name)
	return memberwatch.SignalID(id), err
}

func resourceName(collection, id string) string {
	if id == "" {
		return ""
	}
	return collection + id
}

// parseName takes everything after the collection as the id: ids are the platform's own and may contain slashes.
func parseName(collection, name string) (string, error) {
	id, ok := strings.CutPrefix(name, collection)
	if !ok || id == "" {
		return "", invalid("NAME_INVALID", fmt.Sprintf("resource name %q is not of the form %s{id}", name, collection),
			fmt.Sprintf("write it as %sabc", collection))
	}
	return id, nil
}
