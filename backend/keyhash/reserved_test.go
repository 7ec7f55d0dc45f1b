package keyhash

import (
	"strconv"
	"testing"
	"testing/synctest"
)

func TestAHoldersKeyDoesNotQueueWithVerifications(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, release := NewHasher(2), make(chan struct{})
		h.argon2 = func(text, _ []byte, _, _ uint32, _ uint8, _ uint32) []byte {
			<-release
			return make([]byte, hashLength)
		}
		hash := phc{params: DefaultParams()}.encode()
		for i := range queuePerSlot + 1 { // one runs, and the lane is full
			go h.Match(t.Context(), strconv.Itoa(i), hash, strconv.Itoa(i))
		}
		synctest.Wait()
		if _, err := h.Match(t.Context(), "one more", hash, "one more"); err != ErrBusy {
			t.Fatalf("the lane of verifications is not full: %v", err)
		}
		matched := make(chan error, 1)
		go func() {
			_, err := h.Reserved().Match(t.Context(), "holder", hash, "holder")
			matched <- err
		}()
		synctest.Wait()
		release <- struct{}{} // what ran
		release <- struct{}{} // the holder's, before the 64 that came earlier
		synctest.Wait()
		select {
		case err := <-matched:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("the holder waits behind verifications")
		}
		close(release)
	})
}
