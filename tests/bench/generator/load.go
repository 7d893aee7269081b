// Sends requests: as many as there are connections at any time (closed loop), or when they are due (open loop).
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"
)

// Time between two looks at what waits too long, and before a refused connection is tried again.
const (
	tick       = 50 * time.Millisecond
	retryAfter = 10 * time.Millisecond
)

type phase struct {
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"rate"` // arrivals a second; 0: closed loop
}

type loadJob struct {
	Port           int      `json:"port"`
	Requests       []string `json:"requests"` // files, each with one whole request, sent in turn
	Connections    int      `json:"connections"`
	WarmupSeconds  float64  `json:"warmup_seconds"`
	Phases         []phase  `json:"phases"`
	TimeoutSeconds float64  `json:"timeout_seconds"`
	DrainSeconds   float64  `json:"drain_seconds"`
	Seed           uint64   `json:"seed"`
}

// moment is what happened to the requests that were due in one tenth of a second, and how many ended well in it.
type moment struct {
	Accepted  int64   `json:"accepted"`
	Other     int64   `json:"other"`
	Slowest   float64 `json:"slowest_us"` // of the accepted
	Completed int64   `json:"completed"`
}

type loadResult struct {
	Phases     []phaseResult `json:"phases"`
	Moments    []moment      `json:"moments"`
	Answers    [][]byte      `json:"answers"` // the first 2xx to each request, base64
	Total      int64         `json:"total"`   // all that was answered, warm-up and drain included
	Connects   int64         `json:"connects"`
	Resent     int64         `json:"resent"`
	CPUSeconds float64       `json:"cpu_seconds"`
	Elapsed    float64       `json:"elapsed"`
}

type connection struct {
	fd       int
	ready    bool // connected
	busy     bool // a request is on its way
	fresh    bool // has not answered yet
	request  int
	unsent   []byte
	due      int64 // when the request was to be sent: its latency counts from here
	began    int64
	response response
	position int // in clients.idle, or -1
}

type arrival struct{ due int64 }

type clients struct {
	job      loadJob
	requests [][]byte
	poll     *poller
	byFd     []*connection
	idle     []*connection
	open     int
	inFlight int
	waiting  []arrival // open loop: due, and every connection is busy
	retryAt  int64     // closed loop: when to open the connections that were refused
	next     int
	buffer   []byte

	zero    time.Time
	ends    []int64 // of warm-up and of each phase
	counted []*counts
	moments []moment
	stopped bool
	result  loadResult
}

func load(input io.Reader) (any, error) {
	c := &clients{buffer: make([]byte, 256<<10)}
	if err := json.NewDecoder(input).Decode(&c.job); err != nil {
		return nil, err
	}
	if len(c.job.Requests) == 0 || c.job.Connections < 1 || len(c.job.Phases) == 0 {
		return nil, errors.New("a job needs requests, connections and phases")
	}
	for _, name := range c.job.Requests {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if len(content) == 0 {
			return nil, fmt.Errorf("%s is empty", name)
		}
		c.requests = append(c.requests, content)
	}
	var err error
	if c.poll, err = newPoller(); err != nil {
		return nil, err
	}
	c.run()
	return c.result, nil
}

func (c *clients) now() int64 { return int64(time.Since(c.zero)) }

func (c *clients) run() {
	end := nanoseconds(c.job.WarmupSeconds)
	c.ends = []int64{end}
	for _, p := range c.job.Phases {
		end += nanoseconds(p.Seconds)
		c.ends = append(c.ends, end)
		c.counted = append(c.counted, newCounts())
	}
	c.moments = make([]moment, (end-c.ends[0])/int64(100*time.Millisecond)+1)
	c.result.Answers = make([][]byte, len(c.requests))
	c.zero = time.Now()
	cpu := cpuSeconds()
	random := rand.New(rand.NewPCG(c.job.Seed, 1))
	nextArrival, nextTick := int64(0), int64(tick)
	drained := end + nanoseconds(c.job.DrainSeconds)
	for {
		now := c.now()
		if now >= end && !c.stopped {
			c.stopped = true
		}
		if c.stopped && (c.inFlight == 0 && len(c.waiting) == 0 || now >= drained) {
			break
		}
		sleepUntil := nextTick
		if !c.stopped && c.openLoop() {
			for nextArrival <= now {
				c.arrive(nextArrival)
				nextArrival += int64(random.ExpFloat64() * 1e9 / c.rateAt(nextArrival))
			}
			sleepUntil = min(sleepUntil, nextArrival)
		} else if !c.stopped && c.open < c.job.Connections {
			if now >= c.retryAt {
				c.fill(now)
			}
			sleepUntil = min(sleepUntil, max(c.retryAt, now))
		}
		if !c.stopped {
			sleepUntil = min(sleepUntil, end)
		}
		for _, event := range c.poll.wait(time.Duration(sleepUntil - c.now())) {
			if one := c.byFd[event.Fd]; one != nil {
				c.happened(one, event.Events)
			}
		}
		if now = c.now(); now >= nextTick {
			nextTick = now + int64(tick)
			c.giveUp(now)
		}
	}
	c.result.Elapsed = time.Since(c.zero).Seconds()
	c.result.CPUSeconds = cpuSeconds() - cpu
	c.result.Moments = c.moments
	c.result.Phases = []phaseResult{}
	for i, counted := range c.counted {
		c.result.Phases = append(c.result.Phases, counted.result(c.job.Phases[i].Seconds))
	}
	for _, one := range c.byFd {
		if one != nil && one.busy {
			c.unanswered(one.due)
		}
	}
	for _, one := range c.waiting {
		c.unanswered(one.due)
	}
}

func (c *clients) unanswered(due int64) {
	if i := c.phaseOf(due); i >= 0 && i < len(c.result.Phases) {
		c.result.Phases[i].Unanswered++
	}
}

// openLoop tells whether requests are sent when they are due, whatever is still unanswered.
func (c *clients) openLoop() bool { return c.job.Phases[0].Rate > 0 }

func nanoseconds(seconds float64) int64 { return int64(seconds * 1e9) }

// rateAt is the rate of the phase that a time falls into; warm-up runs at the first phase's.
func (c *clients) rateAt(at int64) float64 {
	return c.job.Phases[min(max(c.phaseOf(at), 0), len(c.job.Phases)-1)].Rate
}

// phaseOf is the index of the phase that a time falls into: -1 for warm-up, past the last for the drain.
func (c *clients) phaseOf(at int64) int {
	i := 0
	for i < len(c.ends) && at >= c.ends[i] {
		i++
	}
	return i - 1
}
