package edge

import (
	"bytes"
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

func TestNoTextOfAKeyStays(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		_, text := w.issue()
		forged := w.text(apikeyID(), 1)
		for range 10 {
			w.want(text, "valid")
			w.want(forged, "invalid")
		}
		w.end()
		w.Mirror.up, w.quotas.up, w.reports.up, w.seen.all = nil, nil, nil, nil
		w.settings.Load().Observer = nil
		found := map[uintptr]bool{}
		if !contains(reflect.ValueOf(w.Mirror), []byte(w.Status().Cursor[2:10]), map[uintptr]bool{}) {
			t.Fatal("it looks at nothing")
		}
		for _, of := range []string{text, forged} {
			if contains(reflect.ValueOf(w.Mirror), []byte(of[len(of)-40:len(of)-30]), found) {
				t.Error("a text stays")
			}
		}
	})
}

// contains looks for a text in all that can be reached from a value.
func contains(v reflect.Value, text []byte, seen map[uintptr]bool) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Map:
		if v.IsNil() || seen[v.Pointer()] {
			return false
		}
		seen[v.Pointer()] = true
		if v.Kind() == reflect.Pointer {
			return contains(v.Elem(), text, seen)
		}
		for it := v.MapRange(); it.Next(); {
			if contains(it.Key(), text, seen) || contains(it.Value(), text, seen) {
				return true
			}
		}
	case reflect.Interface:
		return !v.IsNil() && contains(v.Elem(), text, seen)
	case reflect.String:
		return strings.Contains(v.String(), string(text))
	case reflect.Struct:
		for i := range v.NumField() {
			if contains(v.Field(i), text, seen) {
				return true
			}
		}
	case reflect.Array, reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			all := make([]byte, v.Len())
			for i := range all {
				all[i] = byte(v.Index(i).Uint())
			}
			return bytes.Contains(all, text)
		}
		for i := range v.Len() {
			if contains(v.Index(i), text, seen) {
				return true
			}
		}
	}
	return false
}

func TestWhatIsHeldIsBounded(t *testing.T) {
	in(t, Settings{Size: 640}, func(w *world) {
		for range 20 {
			var texts []string
			for range 250 {
				_, text := w.issue(func(k *record.Key) { k.Owner = "o" + strings.ToLower(k.ID) })
				texts = append(texts, text, w.text(apikeyID(), 1))
			}
			w.wantAll(texts, map[string]int{"valid": 250, "invalid": 250})
			time.Sleep(second)
		}
		if h := &w.Mirror.held; h.keys.Len() > 640 || h.owners.Len() > 640 || h.gone.Len() > 640 || w.texts.proofs.Len() > 640 {
			t.Errorf("it holds %d keys, %d owners, %d proofs", h.keys.Len(), h.owners.Len(), w.texts.proofs.Len())
		}
		w.asks.mu.Lock()
		defer w.asks.mu.Unlock()
		if len(w.asks.open) != 0 || len(w.asks.queue) != 0 {
			t.Errorf("%d questions are open", len(w.asks.open))
		}
	})
}

func TestAfterItsEndNothingIsDecided(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		_, text := w.issue()
		ctx, end := context.WithCancel(w.t.Context())
		m := New(w.vault, Settings{}, w.hardware)
		ended := make(chan error)
		go func() { ended <- m.Run(ctx) }()
		time.Sleep(second)
		w.Mirror = m
		w.want(text, "valid")
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		w.want(text, "closed")
	})
}
