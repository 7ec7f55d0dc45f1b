// Package decisions is the log of what a gate decided: a line of JSON each, with ids
// only. It stops no decision: what cannot be written is counted and gone.
package decisions

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/doors"
)

const (
	// waiting bounds the lines that wait to be written, and mostBytes how long all of them
	// are: as many scopes may stand in one as a gateway asks for.
	waiting   = 8192
	mostBytes = 16 << 20
)

// Log writes lines into a file, behind the answers.
type Log struct {
	items chan item
	ended sync.WaitGroup
	bytes atomic.Int64 // that wait
	lost  atomic.Uint64
	open  atomic.Bool
}

// item is a line, or what is to become of those after it.
type item struct {
	text []byte
	next *os.File // where to, without a text; nil for nowhere
	end  bool
}

// New begins. File is what to begin with; nil writes nothing.
func New(file *os.File) *Log {
	l := &Log{items: make(chan item, waiting)}
	l.open.Store(file != nil)
	l.ended.Go(func() { l.write(file) })
	return l
}

// Open opens a log's file, or none at "". It is the gate's own to read.
func Open(path string) (*os.File, error) {
	if path == "" {
		return nil, nil
	}
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}

// patience bounds how long a disk may hold up whoever only wants another file.
const patience = 2 * time.Second

// ErrStuck is returned where the disk does not take the lines that are being written.
var ErrStuck = errors.New("the decision log's disk does not answer; its file stays as it is")

// Use writes from now on into this file, or nowhere where it is nil. The one before is
// closed, or this one, with ErrStuck.
func (l *Log) Use(file *os.File) error {
	select {
	case l.items <- item{next: file}:
		l.open.Store(file != nil)
		return nil
	case <-time.After(patience):
		if file != nil {
			_ = file.Close()
		}
		return ErrStuck
	}
}

// Lost is how many lines could not be written.
func (l *Log) Lost() uint64 { return l.lost.Load() }

// Close writes what waits, and ends.
func (l *Log) Close() {
	l.open.Store(false)
	l.items <- item{end: true}
	l.ended.Wait()
}

// line is what is written of a decision.
type line struct {
	Time         string   `json:"time"`
	Door         string   `json:"door"`
	Code         string   `json:"code"`
	Status       int      `json:"http_status"`
	KeyID        string   `json:"key_id"`
	Version      int      `json:"version"`
	Role         string   `json:"role"`
	Owner        string   `json:"owner"`
	Scopes       []string `json:"scopes"`
	ClientIP     string   `json:"client_ip"`
	Microseconds int64    `json:"microseconds"`
}

// Decided notes a decision.
func (l *Log) Decided(d doors.Decided) {
	if !l.open.Load() {
		return
	}
	out := line{
		Time: time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), Door: d.Door, Code: string(d.Code), Status: d.Code.HTTPStatus(),
		KeyID: d.KeyID, Version: d.Version, Role: d.Role, Owner: d.Owner, Scopes: d.Scopes, Microseconds: d.Took.Microseconds(),
	}
	if out.Scopes == nil {
		out.Scopes = []string{}
	}
	if d.ClientIP.IsValid() {
		out.ClientIP = d.ClientIP.String()
	}
	text, _ := json.Marshal(out) // texts and numbers
	l.queue(append(text, '\n'))
}

// queue has a line written where there is room for it, and else counts it.
func (l *Log) queue(text []byte) {
	size := int64(len(text))
	if l.bytes.Add(size) <= mostBytes {
		select {
		case l.items <- item{text: text}:
			return
		default:
		}
	}
	l.bytes.Add(-size)
	l.lost.Add(1)
}

func (l *Log) write(file *os.File) {
	out := l.writer(file)
	for i := range l.items {
		if i.text != nil {
			l.bytes.Add(-int64(len(i.text)))
			l.add(out, i.text)
			if len(l.items) == 0 {
				out.flush()
			}
			continue
		}
		out.close()
		if out = l.writer(i.next); i.end {
			return
		}
	}
}

// writer writes whole lines, and counts those that a full disk swallows.
type writer struct {
	file    *os.File
	buffer  *bufio.Writer
	pending uint64
	lost    *atomic.Uint64
}

func (l *Log) writer(file *os.File) *writer {
	if file == nil {
		return nil
	}
	return &writer{file, bufio.NewWriterSize(file, 64<<10), 0, &l.lost}
}

func (l *Log) add(w *writer, text []byte) {
	if w == nil {
		return
	}
	if w.buffer.Available() < len(text) {
		w.flush()
	}
	w.pending++
	_, _ = w.buffer.Write(text) // it fits; what fails is the flush
}

func (w *writer) flush() {
	if w == nil || w.pending == 0 {
		return
	}
	if w.buffer.Flush() != nil {
		w.lost.Add(w.pending) // at the most: some may have been written
		w.buffer.Reset(w.file)
	}
	w.pending = 0
}

func (w *writer) close() {
	if w != nil {
		w.flush()
		_ = w.file.Close()
	}
}
