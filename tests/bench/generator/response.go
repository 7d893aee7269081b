// Reads an HTTP response as it arrives, keeping no more of it than the result needs.
package main

import (
	"bytes"
	"strconv"
)

const (
	largestHead  = 64 << 10
	largestKept  = 64 << 10
	untilTheEnd  = -1
	lastChunk    = "0\r\n\r\n"
	endOfHead    = "\r\n\r\n"
	statusBegins = len("HTTP/1.1 ")
)

type response struct {
	head       []byte
	headDone   bool
	status     int
	left       int // bytes of the body that are still to come, or untilTheEnd
	chunked    bool
	tail       []byte // the last bytes of a chunked body
	close      bool
	retryAfter bool
	keep       bool // whether body is kept
	body       []byte
}

func (r *response) reset(keep bool) {
	*r = response{head: r.head[:0], tail: r.tail[:0], body: r.body[:0], keep: keep}
}

// feed takes what arrived and tells whether the response is complete, and whether it is one at all.
func (r *response) feed(data []byte) (done, ok bool) {
	if !r.headDone {
		from := max(0, len(r.head)-len(endOfHead)+1)
		r.head = append(r.head, data...)
		end := bytes.Index(r.head[from:], []byte(endOfHead))
		if end < 0 {
			return false, len(r.head) <= largestHead
		}
		end += from + len(endOfHead)
		data = r.head[end:]
		if !r.readHead(r.head[:end-2]) {
			return false, false
		}
		if r.status < 200 {
			// An interim response (100 Continue): the real one follows.
			rest := append([]byte(nil), data...)
			r.reset(r.keep)
			if len(rest) == 0 {
				return false, true
			}
			return r.feed(rest)
		}
		r.headDone = true
	}
	if r.keep && len(r.body) < largestKept {
		r.body = append(r.body, data[:min(len(data), largestKept-len(r.body))]...)
	}
	switch {
	case r.chunked:
		r.tail = append(r.tail, data[max(0, len(data)-len(lastChunk)):]...)
		r.tail = r.tail[max(0, len(r.tail)-len(lastChunk)):]
		return string(r.tail) == lastChunk, true
	case r.left == untilTheEnd:
		return false, true
	}
	r.left -= len(data)
	return r.left <= 0, r.left >= 0
}

// ended tells whether the end of the connection completes the response.
func (r *response) ended() bool {
	return r.headDone && r.left == untilTheEnd && !r.chunked
}

func (r *response) readHead(head []byte) bool {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	if len(line) < statusBegins+3 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return false
	}
	status, err := strconv.Atoi(string(line[statusBegins : statusBegins+3]))
	if err != nil {
		return false
	}
	r.status = status
	r.left = untilTheEnd
	r.close = line[statusBegins-2] == '0'
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case is(name, "content-length"):
			if r.left, err = strconv.Atoi(string(value)); err != nil || r.left < 0 {
				return false
			}
		case is(name, "connection"):
			r.close = is(value, "close") || r.close && !is(value, "keep-alive")
		case is(name, "transfer-encoding"):
			r.chunked = is(value, "chunked")
		case is(name, "retry-after"):
			r.retryAfter = true
		}
	}
	if status == 204 || status == 304 {
		r.left = 0
	}
	return true
}

func is(name []byte, lower string) bool {
	return len(name) == len(lower) && bytes.EqualFold(name, []byte(lower))
}
