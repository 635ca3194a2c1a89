// Package logs runs real logs with known offenders through the service, and
// says where its evidence ranks them.
//
// It knows how rows of the four sets become access events, who is named as an
// offender and by whom, and which rows are labelled as attacks. Labels never
// become part of an event. It must not know how anything is detected: events go
// through a service of this process, and signals come out.
//
// The sets stay outside the repository; each folder says where it is from.
package logs
