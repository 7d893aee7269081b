// A server that does nothing but read requests and answer "[0]": what it takes the generator to keep it busy.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"syscall"
	"time"
)

type answerJob struct {
	Seconds float64 `json:"seconds"`
}

type answerResult struct {
	CPUSeconds float64 `json:"cpu_seconds"`
}

const nothing = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n[0]"

func answer(input io.Reader) (any, error) {
	var job answerJob
	if err := json.NewDecoder(input).Decode(&job); err != nil {
		return nil, err
	}
	poll, err := newPoller()
	if err != nil {
		return nil, err
	}
	listener, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.Bind(listener, &syscall.SockaddrInet4{Addr: loopback}); err != nil {
		return nil, err
	}
	if err := syscall.Listen(listener, 1024); err != nil {
		return nil, err
	}
	address, err := syscall.Getsockname(listener)
	if err != nil {
		return nil, err
	}
	if err := poll.add(listener); err != nil {
		return nil, err
	}
	fmt.Println(address.(*syscall.SockaddrInet4).Port)
	buffer, left := make([]byte, 256<<10), map[int]int{}
	for end := time.Now().Add(time.Duration(nanoseconds(job.Seconds))); time.Now().Before(end); {
		for _, event := range poll.wait(tick) {
			fd := int(event.Fd)
			if fd == listener {
				acceptAll(listener, poll)
			} else if event.Events&syscall.EPOLLIN != 0 && !takeAll(fd, buffer, left) {
				delete(left, fd)
				syscall.Close(fd)
			}
		}
	}
	return answerResult{cpuSeconds()}, nil
}

func acceptAll(listener int, poll *poller) {
	for {
		fd, _, err := syscall.Accept4(listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		if poll.add(fd) != nil {
			syscall.Close(fd)
		}
	}
}

// takeAll answers each request that ends in what has arrived. left has the bytes of bodies that are still to come.
func takeAll(fd int, buffer []byte, left map[int]int) bool {
	for {
		n, errno := read(fd, buffer)
		if errno == syscall.EAGAIN {
			return true
		}
		if errno != 0 || n == 0 {
			return false
		}
		rest := left[fd]
		if rest == 0 {
			length, end, ok := lengthIn(buffer[:n])
			if !ok {
				return false
			}
			rest = length + end
		}
		rest -= n
		left[fd] = max(rest, 0)
		if rest <= 0 {
			write(fd, []byte(nothing))
		}
		if n < len(buffer) {
			return true
		}
	}
}

func lengthIn(data []byte) (length, end int, ok bool) {
	end = bytes.Index(data, []byte(endOfHead))
	at := bytes.Index(data, []byte("Content-Length: "))
	if end < 0 || at < 0 || at > end {
		return 0, 0, false
	}
	number, _, _ := bytes.Cut(data[at+len("Content-Length: "):], []byte("\r\n"))
	length, err := strconv.Atoi(string(number))
	return length, end + len(endOfHead), err == nil
}
