// Keeps connections that never end their request, or never begin one, until its standard input ends.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

type holdJob struct {
	Port    int     `json:"port"`
	Stalled int     `json:"stalled"` // send a head and half a body, then nothing
	Idle    int     `json:"idle"`    // send nothing
	Request string  `json:"request"` // file with the request whose first half the stalled ones send
	Seconds float64 `json:"seconds"` // at most
}

type holdResult struct {
	Opened  int `json:"opened"`
	Refused int `json:"refused"`
	Closed  int `json:"closed"` // by the server, before the end
}

func hold(input io.Reader) (any, error) {
	lines := bufio.NewReader(input)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	var job holdJob
	if err := json.Unmarshal(line, &job); err != nil {
		return nil, err
	}
	request, err := os.ReadFile(job.Request)
	if err != nil {
		return nil, err
	}
	var result holdResult
	var held []int
	for i := range job.Stalled + job.Idle {
		fd, err := connectAndWait(job.Port)
		if err != nil {
			result.Refused++
			continue
		}
		held = append(held, fd)
		if i < job.Stalled {
			write(fd, request[:len(request)/2])
		}
	}
	result.Opened = len(held)
	fmt.Println("held")
	over := make(chan struct{})
	go func() {
		io.Copy(io.Discard, lines)
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(time.Duration(nanoseconds(job.Seconds))):
	}
	for _, fd := range held {
		if n, errno := read(fd, make([]byte, 1)); n >= 0 && errno == 0 {
			result.Closed++
		}
		syscall.Close(fd)
	}
	return result, nil
}

func connectAndWait(port int) (int, error) {
	fd, err := connect(port)
	if err != nil {
		return -1, err
	}
	poll, err := newPoller()
	if err == nil {
		defer syscall.Close(poll.fd)
		err = poll.add(fd)
	}
	if err == nil {
		for _, event := range poll.wait(2 * time.Second) {
			if event.Events&(syscall.EPOLLERR|syscall.EPOLLHUP) == 0 {
				return fd, nil
			}
		}
		err = syscall.ECONNREFUSED
	}
	syscall.Close(fd)
	return -1, err
}
