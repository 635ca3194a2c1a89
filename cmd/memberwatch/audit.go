package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/grpc"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

func newAudit() *cobra.Command {
	return group("audit", "Read the audit log and prove that nothing in it was changed", newAuditList(), newAuditHead(), newAuditVerify())
}

// checkpoint is a head of the audit log as people keep it: its size, a colon, and
// the root in base64.
type checkpoint struct {
	size int64
	root tlog.Hash
	text string
}

// String returns the checkpoint as it was given.
func (c *checkpoint) String() string { return c.text }

// Type names the flag's kind in help texts.
func (c *checkpoint) Type() string { return "checkpoint" }

// Set reads a checkpoint.
func (c *checkpoint) Set(text string) error {
	size, root, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(size, 10, 64)
	hash, err2 := base64.StdEncoding.DecodeString(root)
	if err != nil || err2 != nil || n < 0 || len(hash) != tlog.HashSize {
		return fmt.Errorf("%q is no checkpoint: write it as audit head printed it, such as 42:mPq...=", text)
	}
	c.size, c.root, c.text = n, tlog.Hash(hash), text
	return nil
}

func checkpointText(size int64, root []byte) string {
	return strconv.FormatInt(size, 10) + ":" + base64.StdEncoding.EncodeToString(root)
}

func newAuditHead() *cobra.Command {
	cmd := &cobra.Command{
		Use: "head", Short: "Print a checkpoint of the audit log, to keep elsewhere", Args: exactly(),
		Long: "head prints how many entries the audit log has and the root of their Merkle tree. Keep it where nobody\nwho can write to the data directory can: audit verify --since proves against it.",
	}
	server := serverFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.GetAuditHeadRequest, *pb.GetAuditHeadResponse] {
			return pb.NewAdminServiceClient(c).GetAuditHead
		}, &pb.GetAuditHeadRequest{})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), checkpointText(answer.GetHead().GetSize(), answer.GetHead().GetRoot()))
		return err
	}
	return cmd
}

func newAuditList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "Print the audit log, oldest first", Args: exactly()}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	subject := cmd.Flags().String("subject", "", "only entries about this, such as cases/c7")
	filter := cmd.Flags().String("filter", "", `only entries that match, such as 'person = ana AND action = "case.*"', over person, action, subject and time`)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *subject != "" && *filter != "" {
			return &usageError{message: "--subject excludes --filter", hint: "write subject = NAME in the filter"}
		}
		if *subject != "" {
			*filter = fmt.Sprintf("subject = %q", *subject)
		}
		conn, err := dial(cmd.Context(), *server)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // only read from
		t := table{columns: []column{right("ENTRY"), left("TIME"), left("WHO"), left("WHAT"), left("SUBJECT")}}
		err = eachEntry(cmd.Context(), conn, *filter, func(leaf []byte) error {
			e, err := memberwatch.ParseAuditEntry(leaf)
			if err != nil {
				return err
			}
			if format.value == "json" {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", leaf)
				return err
			}
			t.add(number(e.Number), e.Time.UTC().Format(time.RFC3339), dash(string(e.Person)), e.Action, e.Subject)
			return nil
		})
		if err != nil {
			return err
		}
		return t.writeTo(cmd.OutOrStdout())
	}
	return cmd
}

// eachEntry fetches the entries of the log that match a filter, all if it is empty.
func eachEntry(ctx context.Context, conn *grpc.ClientConn, filter string, visit func(leaf []byte) error) error {
	service := pb.NewAdminServiceClient(conn)
	return pages(0, maxPage, func(token string, size int) (int, string, error) {
		answer, err := service.ListAuditEntries(ctx, &pb.ListAuditEntriesRequest{PageSize: int32(size), PageToken: token, Filter: filter})
		if err != nil {
			return 0, "", err
		}
		for _, leaf := range answer.GetEntries() {
			if err := visit(leaf); err != nil {
				return 0, "", err
			}
		}
		return len(answer.GetEntries()), answer.GetNextPageToken(), nil
	})
}

func newAuditVerify() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify", Short: "Prove that no entry was changed or removed", Args: exactly(),
		Long: "verify fetches every entry, computes the Merkle tree itself and compares its root with the server's. With\n" +
			"--since it also proves that the log of a checkpoint kept elsewhere is the beginning of the present one.\n" +
			"Then the server compares its cases and remediations with what the log leads to. It prints the checkpoint\n" +
			"to keep, or ends with status 1.",
		Example: "  memberwatch audit head > checkpoint\n  memberwatch audit verify --since $(cat checkpoint)",
	}
	server := serverFlag(cmd)
	var since checkpoint
	cmd.Flags().Var(&since, "since", "a checkpoint that was kept")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		conn, err := dial(cmd.Context(), *server)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // only read from
		return verifyAudit(cmd.Context(), conn, since, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

// verifyAudit proves the log from its leaves alone: the server's own hashes are
// only compared with, never built upon.
func verifyAudit(ctx context.Context, conn *grpc.ClientConn, since checkpoint, out, say io.Writer) error {
	answer, err := pb.NewAdminServiceClient(conn).GetAuditHead(ctx, &pb.GetAuditHeadRequest{})
	if err != nil {
		return err
	}
	head := answer.GetHead()
	if head.GetSize() < since.size {
		return tampered("the log has %d entries, the checkpoint %d: entries were removed", head.GetSize(), since.size)
	}
	tree := &auditTree{}
	var past tlog.Hash
	err = eachEntry(ctx, conn, "", func(leaf []byte) error {
		if tree.size == since.size && since.text != "" {
			if past, err = tree.root(); err != nil {
				return err
			}
		}
		if tree.size == head.GetSize() {
			return nil // came after the head
		}
		return tree.add(leaf)
	})
	if err != nil {
		return err
	}
	root, err := tree.root()
	if err != nil {
		return err
	}
	if since.text != "" && since.size == tree.size {
		past = root
	}
	switch {
	case tree.size != head.GetSize():
		return tampered("the log gives %d entries, its head says %d", tree.size, head.GetSize())
	case string(root[:]) != string(head.GetRoot()):
		return tampered("the entries do not lead to the root of the log: one was changed")
	case since.text != "" && past != since.root:
		return tampered("the first %d entries do not lead to the checkpoint: one was changed since", since.size)
	}
	if err := proveConsistency(ctx, conn, since, head); err != nil {
		return err
	}
	fmt.Fprintf(say, "memberwatch: %s entries, none changed or removed%s\n", number(tree.size), sinceText(since))
	if err := checkRecords(ctx, conn, say); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, checkpointText(head.GetSize(), head.GetRoot()))
	return err
}

// checkRecords lets the server compare its cases with the log that was proven.
func checkRecords(ctx context.Context, conn *grpc.ClientConn, say io.Writer) error {
	answer, err := pb.NewAdminServiceClient(conn).CheckRecords(ctx, &pb.CheckRecordsRequest{})
	if err != nil {
		return err
	}
	if wrong := answer.GetWrong(); len(wrong) > 0 {
		return tampered("it does not lead to %s as stored: the record was changed", strings.Join(wrong, ", "))
	}
	fmt.Fprintf(say, "memberwatch: %s as the log has them\n", plural(answer.GetChecked(), "record"))
	return nil
}

func sinceText(since checkpoint) string {
	if since.text == "" {
		return ""
	}
	return fmt.Sprintf(" since the checkpoint of %d", since.size)
}

// proveConsistency holds the server's own proof against the checkpoint.
func proveConsistency(ctx context.Context, conn *grpc.ClientConn, since checkpoint, head *pb.AuditHead) error {
	if since.size == 0 {
		return nil
	}
	answer, err := pb.NewAdminServiceClient(conn).ProveAuditHead(ctx, &pb.ProveAuditHeadRequest{Since: since.size, Size: head.GetSize()})
	if err != nil {
		return err
	}
	var proof tlog.TreeProof
	for _, hash := range answer.GetProof() {
		if len(hash) != tlog.HashSize {
			return tampered("the server's proof has a hash of %d bytes", len(hash))
		}
		proof = append(proof, tlog.Hash(hash))
	}
	if err := tlog.CheckTree(proof, head.GetSize(), tlog.Hash(head.GetRoot()), since.size, since.root); err != nil {
		return tampered("the server cannot prove that the checkpoint is the beginning of its log: %v", err)
	}
	return nil
}

// tampered is the error of a log that does not hold.
func tampered(format string, args ...any) error {
	return hinted{fmt.Errorf("audit log: "+format, args...), "keep the data directory as it is and compare it with a backup"}
}

// auditTree computes the Merkle tree of leaves.
type auditTree struct {
	size   int64
	hashes []tlog.Hash
}

// ReadHashes returns stored nodes.
func (t *auditTree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	list := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		list[i] = t.hashes[index]
	}
	return list, nil
}

// add appends a leaf, which must be the entry of its number.
func (t *auditTree) add(leaf []byte) error {
	e, err := memberwatch.ParseAuditEntry(leaf)
	if err != nil {
		return tampered("entry %d does not read: %v", t.size, err)
	}
	if e.Number != t.size {
		return tampered("entry %d calls itself %d", t.size, e.Number)
	}
	hashes, err := tlog.StoredHashes(t.size, leaf, t)
	if err != nil {
		return fmt.Errorf("hash entry %d: %w", t.size, err)
	}
	t.hashes = append(t.hashes, hashes...)
	t.size++
	return nil
}

func (t *auditTree) root() (tlog.Hash, error) { return tlog.TreeHash(t.size, t) }
