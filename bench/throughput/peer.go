package throughput

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"github.com/memberwatch/memberwatch/bench/cpu"
)

// Usage is what a process has used so far.
type Usage struct {
	CPU    int64  `json:"cpu_ns"` // user and system time
	Allocs uint64 `json:"allocs"` // heap objects ever allocated
	Heap   uint64 `json:"heap_bytes"`
}

// Questions that a peer answers with its Usage.
const (
	askUsage = "usage"
	askHeap  = "heap" // after collecting what is not in use
)

// Attend answers the measuring process on a peer's standard input and output
// until the input ends. It first says where the peer listens.
func Attend(in io.Reader, out io.Writer, address string) error {
	answers := json.NewEncoder(out)
	if err := answers.Encode(address); err != nil {
		return fmt.Errorf("announce the address: %w", err)
	}
	questions := bufio.NewScanner(in)
	for questions.Scan() {
		if questions.Text() == askHeap {
			for range 3 { // pools let go of what they hold at the second collection
				runtime.GC()
			}
		}
		used, err := used()
		if err != nil {
			return err
		}
		if err := answers.Encode(used); err != nil {
			return fmt.Errorf("answer %q: %w", questions.Text(), err)
		}
	}
	return questions.Err()
}

func used() (Usage, error) {
	spent, err := cpu.Time()
	if err != nil {
		return Usage{}, err
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Usage{CPU: spent, Allocs: m.Mallocs, Heap: m.HeapAlloc}, nil
}

// Peer is a process under measurement.
type Peer struct {
	address string
	command *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
}

// Start runs this program with arguments that make it Attend.
func Start(ctx context.Context, stderr io.Writer, args ...string) (*Peer, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	p := &Peer{command: exec.CommandContext(ctx, program, args...)}
	p.command.Stderr = stderr
	p.command.Cancel = func() error { return p.command.Process.Signal(syscall.SIGTERM) }
	if p.in, err = p.command.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start a peer: %w", err)
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a peer: %w", err)
	}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start a peer: %w", err)
	}
	p.out = json.NewDecoder(out)
	if err := p.out.Decode(&p.address); err != nil {
		return nil, fmt.Errorf("peer %q did not say where it listens: %w", args, errors.Join(err, p.Stop()))
	}
	return p, nil
}

func (p *Peer) ask(question string) (Usage, error) {
	var answer Usage
	if _, err := fmt.Fprintln(p.in, question); err != nil {
		return answer, fmt.Errorf("ask a peer: %w", err)
	}
	if err := p.out.Decode(&answer); err != nil {
		return answer, fmt.Errorf("peer did not answer: %w", err)
	}
	return answer, nil
}

// Stop lets the process end in order and waits for it.
func (p *Peer) Stop() error {
	if err := errors.Join(p.in.Close(), p.command.Wait()); err != nil {
		return fmt.Errorf("stop a peer: %w", err)
	}
	return nil
}
