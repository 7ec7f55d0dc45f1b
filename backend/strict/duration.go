package strict

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// durationGrammar is a number of seconds or of days, or hours, minutes and
// seconds in this order: what parses to whole seconds in one way only. It takes no
// number of days that overflows.
var durationGrammar = regexp.MustCompile(`^(?:0|[1-9]\d{0,8}|[1-9]\d{0,4}d|(?:\d{1,9}h)?(?:\d{1,9}m)?(?:\d{1,9}s)?)$`)

func decodeDuration(name string, value any) (record.Seconds, error) {
	n, ok := wholeNumber(value)
	if text, _ := value.(string); text != "" && durationGrammar.MatchString(text) {
		n, ok = secondsOf(text)
	}
	seconds := record.Seconds(n)
	if !ok || seconds < 0 || seconds > record.MaxSeconds {
		return 0, record.Mistakef("%s must be a duration in whole seconds, like 3600, 30s, 24h or 7d, of at most 10 years", name)
	}
	return seconds, nil
}

// secondsOf is what a text of durationGrammar says, unless it overflows.
func secondsOf(text string) (seconds int64, ok bool) {
	unit := int64(1)
	if days, cut := strings.CutSuffix(text, "d"); cut {
		text, unit = days, 86400
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n * unit, true // nine digits, or five of days
	}
	d, err := time.ParseDuration(text)
	return int64(d / time.Second), err == nil
}
