// What happens on the connections: they are opened, used in turn, lost, and given up on.
package main

import (
	"syscall"
	"time"
)

// fill opens what is missing of a closed loop's connections; each sends as soon as it is there.
func (c *clients) fill(now int64) {
	for c.open < c.job.Connections {
		one := c.dial()
		if one == nil {
			c.failed("connect", now)
			c.retryAt = now + int64(retryAfter)
			return
		}
		c.send(one, now)
	}
}

func (c *clients) arrive(due int64) {
	c.waiting = append(c.waiting, arrival{due})
	c.serveWaiting()
}

// serveWaiting gives the arrivals that wait an idle connection each, or a new one while there may be more.
func (c *clients) serveWaiting() {
	for len(c.waiting) > 0 {
		var one *connection
		if n := len(c.idle); n > 0 {
			one = c.idle[n-1]
			c.leaveIdle(one)
		} else if c.open < c.job.Connections {
			if one = c.dial(); one == nil {
				c.failed("connect", c.waiting[0].due)
				c.waiting = c.waiting[1:]
				continue
			}
		} else {
			return
		}
		due := c.waiting[0].due
		c.waiting = c.waiting[1:]
		c.send(one, due)
	}
}

func (c *clients) dial() *connection {
	fd, err := connect(c.job.Port)
	if err != nil {
		return nil
	}
	one := &connection{fd: fd, fresh: true, position: -1}
	for fd >= len(c.byFd) {
		c.byFd = append(c.byFd, nil)
	}
	c.byFd[fd] = one
	c.open++
	c.result.Connects++
	if c.poll.add(fd) != nil {
		c.drop(one)
		return nil
	}
	return one
}

func (c *clients) send(one *connection, due int64) {
	one.request = c.next
	c.next = (c.next + 1) % len(c.requests)
	one.busy, one.due, one.began = true, due, c.now()
	c.inFlight++
	c.resume(one)
}

func (c *clients) resume(one *connection) {
	one.unsent = c.requests[one.request]
	one.response.reset(c.result.Answers[one.request] == nil)
	if one.ready {
		c.push(one)
	}
}

// push writes as much of the request as the socket takes.
func (c *clients) push(one *connection) {
	for len(one.unsent) > 0 {
		n, errno := write(one.fd, one.unsent)
		if errno == syscall.EAGAIN {
			return
		}
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			// A server that refuses before it has read everything may have answered all the same: reading tells.
			one.unsent = nil
			return
		}
		one.unsent = one.unsent[n:]
	}
}

func (c *clients) happened(one *connection, events uint32) {
	if events&syscall.EPOLLOUT != 0 {
		one.ready = one.ready || events&(syscall.EPOLLERR|syscall.EPOLLHUP) == 0
		if one.busy && one.ready && len(one.unsent) > 0 {
			c.push(one)
		}
	}
	if events&(syscall.EPOLLIN|syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) == 0 {
		return
	}
	for {
		n, errno := read(one.fd, c.buffer)
		switch {
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN:
			return
		case errno != 0 || n == 0:
			c.closed(one, errno)
			return
		case !one.busy:
			// Nothing was asked for: an answer to give up on, such as a 408 to a connection that idles.
			c.drop(one)
			c.refill()
			return
		}
		done, ok := one.response.feed(c.buffer[:n])
		if !ok {
			c.fails(one, "malformed response")
			return
		}
		if done && !c.finish(one) {
			return
		}
		if n < len(c.buffer) && events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP) == 0 {
			return
		}
	}
}

// finish counts an answer and gives the connection its next request; tells whether the connection is still open.
func (c *clients) finish(one *connection) bool {
	now := c.now()
	c.count(one, now)
	c.inFlight--
	one.busy, one.fresh = false, false
	if one.response.close || len(one.unsent) > 0 {
		c.drop(one)
		c.refill()
		return false
	}
	if c.openLoop() {
		one.position = len(c.idle)
		c.idle = append(c.idle, one)
		c.serveWaiting()
	} else if !c.stopped {
		c.send(one, now)
	}
	return true
}

// count puts an answer into its phase: by the time it came in a closed loop, by the time it was due in an open one.
func (c *clients) count(one *connection, now int64) {
	c.result.Total++
	r := &one.response
	good := r.status >= 200 && r.status < 300
	if good && r.keep {
		c.result.Answers[one.request] = append([]byte{}, r.body...)
	}
	if i := c.phaseOf(now); good && i >= 0 && i < len(c.counted) {
		c.momentOf(now).Completed++
	}
	at := now
	if c.openLoop() {
		at = one.due
	}
	i := c.phaseOf(at)
	if i < 0 || i >= len(c.counted) {
		return
	}
	c.counted[i].answered(r, now-one.due)
	m := c.momentOf(at)
	if good {
		m.Accepted++
		m.Slowest = max(m.Slowest, float64(now-one.due)/1000)
	} else {
		m.Other++
	}
}

func (c *clients) momentOf(at int64) *moment {
	return &c.moments[(at-c.ends[0])/int64(100*time.Millisecond)]
}

func (c *clients) failed(what string, at int64) {
	if i := c.phaseOf(at); i >= 0 && i < len(c.counted) {
		c.counted[i].errors[what]++
		c.momentOf(at).Other++
	}
}

// closed is what the end of a connection means for the request on it.
func (c *clients) closed(one *connection, errno syscall.Errno) {
	switch {
	case !one.busy:
		c.drop(one)
		c.refill()
	case errno == 0 && one.response.ended():
		one.response.close = true
		c.finish(one)
	case !one.fresh && len(one.response.head) == 0:
		// The server let go of a kept connection just when it was used again: clients send once more.
		request, due := one.request, one.due
		c.inFlight--
		c.drop(one)
		c.result.Resent++
		if again := c.dial(); again != nil {
			again.busy, again.due, again.began, again.request = true, due, c.now(), request
			c.inFlight++
			c.resume(again)
		} else {
			c.failed("connect", due)
		}
	case !one.ready:
		c.fails(one, "connect")
	default:
		c.fails(one, "closed without an answer")
	}
}

func (c *clients) fails(one *connection, what string) {
	at := one.due
	if !c.openLoop() {
		at = c.now()
	}
	c.failed(what, at)
	c.inFlight--
	one.busy = false
	c.drop(one)
	if what == "connect" {
		c.retryAt = c.now() + int64(retryAfter)
	}
	c.refill()
}

// refill opens connections in place of those that are gone, where the loop wants them at once.
func (c *clients) refill() {
	if c.openLoop() {
		c.serveWaiting()
	} else if now := c.now(); !c.stopped && now >= c.retryAt {
		c.fill(now)
	}
}

func (c *clients) leaveIdle(one *connection) {
	last := c.idle[len(c.idle)-1]
	c.idle[one.position] = last
	last.position = one.position
	c.idle = c.idle[:len(c.idle)-1]
	one.position = -1
}

func (c *clients) drop(one *connection) {
	if one.position >= 0 {
		c.leaveIdle(one)
	}
	c.byFd[one.fd] = nil
	c.open--
	syscall.Close(one.fd)
}

// giveUp ends the requests that wait longer than a client would.
func (c *clients) giveUp(now int64) {
	longest := nanoseconds(c.job.TimeoutSeconds)
	for _, one := range c.byFd {
		if one != nil && one.busy && now-one.began > longest {
			c.fails(one, "timeout")
		}
	}
	for len(c.waiting) > 0 && now-c.waiting[0].due > longest {
		c.failed("timeout", c.waiting[0].due)
		c.waiting = c.waiting[1:]
	}
}
