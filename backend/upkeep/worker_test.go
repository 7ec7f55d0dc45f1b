package upkeep

import (
	"bytes"
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

func TestAWorkerRunsOneWorkAtATime(t *testing.T) {
	t.Parallel()
	var w worker
	var begun atomic.Int64
	release := make(chan struct{})
	work := func(context.Context) { begun.Add(1); <-release }
	for range 10 {
		if !w.start(hclog.NewNullLogger(), "work", work) {
			t.Fatal("it did not start")
		}
	}
	close(release)
	w.wait()
	if begun.Load() != 1 {
		t.Errorf("it began %d times", begun.Load())
	}
	if !w.start(hclog.NewNullLogger(), "work", work) {
		t.Error("after its end it does not start again")
	}
	if w.wait(); begun.Load() != 2 {
		t.Errorf("it began %d times", begun.Load())
	}
}

func TestAStoppedWorkerStaysStopped(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(w *worker){
		"that never ran":  func(*worker) {},
		"that has ended":  func(w *worker) { w.start(hclog.NewNullLogger(), "work", func(context.Context) {}); w.wait() },
		"that is working": func(w *worker) { w.start(hclog.NewNullLogger(), "work", func(ctx context.Context) { <-ctx.Done() }) },
	} {
		var w worker
		before(&w)
		w.stop()
		w.wait()
		if w.start(hclog.NewNullLogger(), "work", func(context.Context) { t.Errorf("%s runs again", name) }) {
			t.Errorf("%s started again", name)
		}
		w.stop()
	}
}

func TestAPanicEndsTheWorkAndNotTheProcess(t *testing.T) {
	t.Parallel()
	var w worker
	var log bytes.Buffer
	logger := hclog.New(&hclog.LoggerOptions{Output: &log})
	w.start(logger, "work", func(context.Context) { panic("with a secret") })
	w.wait()
	if !strings.Contains(log.String(), "work=work") || strings.Contains(log.String(), "secret") {
		t.Errorf("the log says %s", &log)
	}
	if !w.start(logger, "work", func(context.Context) {}) {
		t.Error("it does not start again")
	}
	w.wait()
}

func TestAStopDoesNotWaitForWorkThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w worker
		stuck := make(chan struct{})
		w.start(hclog.NewNullLogger(), "work", func(context.Context) { <-stuck })
		began := time.Now()
		w.stop()
		if took := time.Since(began); took != stopTime {
			t.Errorf("it waited for %s", took)
		}
		close(stuck)
	})
}
