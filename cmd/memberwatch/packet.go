package main

import (
	"encoding/json"
	"fmt"
	html "html/template"
	"io"
	"math"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

func newReportPacket() *cobra.Command {
	cmd := &cobra.Command{
		Use: "packet CASE", Short: "Export the incident packet of a case, for a regulator", Args: exactly("CASE"),
		Long: "packet exports all that is known about a case as JSON or as a page to print. Each export has a revision,\n" +
			"and the audit log keeps the SHA-256 of its JSON.",
	}
	server, format := serverFlag(cmd), formatFlag(cmd, "json", "html")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.ExportPacketRequest, *pb.ExportPacketResponse] {
			return pb.NewReportServiceClient(c).ExportPacket
		}, &pb.ExportPacketRequest{Case: caseName(args[0])})
		if err != nil {
			return err
		}
		if format.value == "html" {
			return writePacketPage(cmd.OutOrStdout(), answer.GetDocument())
		}
		_, err = cmd.OutOrStdout().Write(answer.GetDocument())
		return err
	}
	return cmd
}

// writePacketPage prints a packet as a page without scripts and other files.
func writePacketPage(w io.Writer, document []byte) error {
	var p memberwatch.Packet
	if err := json.Unmarshal(document, &p); err != nil {
		return fmt.Errorf("read packet: %w", err)
	}
	page, err := html.New("packet").Funcs(html.FuncMap{
		"time": func(t time.Time) string {
			if t.IsZero() {
				return "-"
			}
			return t.UTC().Format(time.RFC3339)
		},
		"interval": func(i memberwatch.Interval) string {
			if i.Low == i.High {
				return whole(i.Value)
			}
			return fmt.Sprintf("%s (%s to %s)", whole(i.Value), whole(i.Low), whole(i.High))
		},
	}).Parse(packetPage)
	if err != nil {
		return fmt.Errorf("packet page: %w", err)
	}
	return page.Execute(w, &p)
}

func whole(x float64) string { return number(int64(math.Round(x))) }

// packetPage is plain HTML with a few lines of style, made to be printed.
const packetPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Incident {{.Incident}}, revision {{.Revision}}</title>
<style>body{font:11pt serif;max-width:46em;margin:2em auto}table{border-collapse:collapse;width:100%}th,td{border-bottom:1px solid #999;padding:.2em .5em;text-align:left;vertical-align:top}h2{margin-top:1.5em}code{font-size:9pt;overflow-wrap:anywhere}tr{break-inside:avoid}</style></head><body>
<h1>Incident {{.Incident}}, revision {{.Revision}}</h1>
<p>Made {{time .Made}} by {{.MadeBy}}. Later revisions replace this one.</p>
<h2>Who and what</h2><table>
<tr><th>App</th><td>{{.App}} {{.AppName}}</td></tr><tr><th>Developer</th><td>{{.Developer}}</td></tr>
<tr><th>State</th><td>{{.State}}</td></tr><tr><th>Verdict</th><td>{{.Verdict}} {{.Reason}}{{with .DuplicateOf}}; case {{.}} has it{{end}}</td></tr>
<tr><th>Comment</th><td>{{.Comment}}</td></tr><tr><th>Cause (hypothesis)</th><td>{{.Cause}}</td></tr></table>
<h2>How many, how long</h2><table>
<tr><th>Persons (95 %)</th><td>{{interval .Persons}}{{if .Covered}}; at least 500{{end}}</td></tr>
<tr><th>Method</th><td>{{.Method}}</td></tr><tr><th>After a restriction</th><td>{{interval .After}} persons</td></tr>
<tr><th>Groups</th><td>{{interval .Groups}}</td></tr><tr><th>Records, calls</th><td>{{.Records}}, {{.Calls}}</td></tr>
<tr><th>Period</th><td>{{.First}} to {{.Last}}; {{.Period}}</td></tr></table>
<table><tr><th>Data class</th><th>Persons</th><th>Groups</th><th>Records</th><th>Calls</th><th>After restriction</th><th>First</th><th>Last</th></tr>
{{range .Classes}}<tr><td>{{.Class}}</td><td>{{interval .Persons}}</td><td>{{interval .Groups}}</td><td>{{.Records}}</td><td>{{.Calls}}</td><td>{{.CallsAfter}}</td><td>{{.First}}</td><td>{{.Last}}</td></tr>
{{end}}</table>
<h2>Clocks</h2><table>
<tr><th>Discovered</th><td>{{time .Discovered}}; 30 days end {{time .ReportBy}}</td></tr>
<tr><th>Aware</th><td>{{with .Aware}}{{time .}}; 72 hours end {{time $.NotifyBy}}{{else}}nobody has said since when the platform knows: 72 hours run from then{{end}}</td></tr></table>
<h2>Containment</h2><table><tr><th></th><th>What</th><th>State</th><th>Proposed</th><th>Due</th><th>Ended</th><th>By</th><th>Evidence, outcome</th></tr>
{{range .Containment}}<tr><td>{{.ID}}</td><td>{{.Kind}} {{.App}} {{.Restriction}}</td><td>{{.State}}{{if .Overdue}}, overdue{{end}}</td><td>{{time .Proposed}}</td><td>{{time .Due}}</td><td>{{time .Ended}}</td><td>{{.Proposer}}{{with .Approver}}, {{.}}{{end}}</td><td>{{.Evidence}}{{with .Outcome}} ({{.}}){{end}}</td></tr>
{{end}}</table>
<p>{{if eq .Attestation.State "NONE"}}Nobody has attested to a deletion{{else}}Deletion attested by {{time .Attestation.Attested}}{{range .Attestation.Against}}; contradicted by signal {{.}}{{end}}{{end}}.</p>
<h2>Evidence</h2><table><tr><th>Signal</th><th>What</th><th>First, last</th><th>SHA-256 of the stored evidence</th></tr>
{{range .Signals}}<tr><td>{{.ID}}<br>{{.Kind}}<br>{{.Severity}}</td><td>{{.Sentence}}</td><td>{{time .First}}<br>{{time .Last}}</td><td><code>{{.Evidence}}</code></td></tr>
{{end}}</table>
{{with .Effects}}<h2>What the verdict did to detection</h2><ul>
{{range .}}<li>{{.Text}}{{if not .Undone.IsZero}}, undone {{time .Undone}}{{end}}</li>
{{end}}</ul>{{end}}
<h2>Decisions</h2><table><tr><th>Entry</th><th>Time</th><th>Person</th><th>Action</th></tr>
{{range .Decisions}}<tr><td>{{.Entry}}</td><td>{{time .Time}}</td><td>{{.Person}}</td><td>{{.Action}}</td></tr>
{{end}}</table>
<p>Audit log of {{.Audit.Size}} entries with root <code>{{.Audit.Root}}</code>.</p>
</body></html>
`
