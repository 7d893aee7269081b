// What one phase of a run counts: outcomes, and latencies in buckets one hundredth apart.
package main

import (
	"math/bits"
	"strconv"
)

const subBuckets = 128 // of each power of two

// histogram counts nanoseconds in buckets whose width is less than a hundredth of their value.
type histogram [40 * subBuckets]int64

func bucket(nanoseconds int64) int {
	v := uint64(max(nanoseconds, 0))
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - 8
	return min((shift+1)*subBuckets+int(v>>shift)-subBuckets, len(histogram{})-1)
}

// middle is the inverse of bucket, in microseconds.
func middle(index int) float64 {
	if index < subBuckets {
		return float64(index) / 1000
	}
	shift := index/subBuckets - 1
	low := uint64(index%subBuckets+subBuckets) << shift
	return (float64(low) + float64(uint64(1)<<shift)/2) / 1000
}

// pairs returns [microseconds, count] of every bucket that is not empty.
func (h *histogram) pairs() [][2]float64 {
	result := [][2]float64{}
	for i, n := range h {
		if n > 0 {
			result = append(result, [2]float64{middle(i), float64(n)})
		}
	}
	return result
}

type counts struct {
	statuses   map[int]int64
	errors     map[string]int64
	accepted   histogram // 2xx
	refused    histogram // 503
	retryAfter int64     // refusals that carry Retry-After
}

func newCounts() *counts {
	return &counts{statuses: map[int]int64{}, errors: map[string]int64{}}
}

func (c *counts) answered(r *response, nanoseconds int64) {
	c.statuses[r.status]++
	if r.status >= 200 && r.status < 300 {
		c.accepted[bucket(nanoseconds)]++
	}
	if r.status == 503 {
		c.refused[bucket(nanoseconds)]++
		if r.retryAfter {
			c.retryAfter++
		}
	}
}

type phaseResult struct {
	Seconds    float64          `json:"seconds"`
	Statuses   map[string]int64 `json:"statuses"`
	Errors     map[string]int64 `json:"errors"`
	Accepted   [][2]float64     `json:"accepted_us"`
	Refused    [][2]float64     `json:"refused_us"`
	RetryAfter int64            `json:"retry_after"`
	Unanswered int64            `json:"unanswered"`
}

func (c *counts) result(seconds float64) phaseResult {
	statuses := map[string]int64{}
	for status, n := range c.statuses {
		statuses[strconv.Itoa(status)] = n
	}
	return phaseResult{
		Seconds: seconds, Statuses: statuses, Errors: c.errors, Accepted: c.accepted.pairs(),
		Refused: c.refused.pairs(), RetryAfter: c.retryAfter,
	}
}
