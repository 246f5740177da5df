package distance

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// waiting bounds the packets in the delay line: 65,536 are 5 s of 13,000 packets a second.
const waiting = 1 << 16

// held is a packet and when it goes on.
type held struct {
	packet uint32
	until  time.Time
}

// schedule says when packets go on, in the order in which they came.
type schedule struct {
	delay, jitter time.Duration
	random        func(time.Duration) time.Duration
	last          time.Time
}

func (s *schedule) next(now time.Time) time.Time {
	until := now.Add(s.delay)
	if s.jitter > 0 {
		until = until.Add(s.random(s.jitter))
	}
	if until.Before(s.last) {
		until = s.last
	}
	s.last = until
	return until
}

// RunLine holds the packets of this network namespace's queue for their time,
// until the process is killed. It writes one line to ready once packets are held.
func RunLine(delay, jitter time.Duration, ready io.Writer) error {
	if err := (State{Delay: delay, Jitter: jitter}).Check(); err != nil {
		return err
	}
	socket, err := openQueue(queue, waiting)
	if err != nil {
		return fmt.Errorf("queue %d of the firewall: %w", queue, err)
	}
	defer socket.close()
	packets := make(chan held, waiting)
	answered := make(chan error, 1)
	go func() { answered <- release(packets, socket) }()
	if _, err := fmt.Fprintln(ready, "ready"); err != nil {
		return err
	}
	times := schedule{delay: delay, jitter: jitter, random: rand.N[time.Duration]}
	for {
		numbers, err := socket.receive()
		if err != nil {
			return err
		}
		now := time.Now()
		for _, packet := range numbers {
			select {
			case packets <- held{packet: packet, until: times.next(now)}:
			case err := <-answered:
				return errors.Join(errors.New("no packet can be let go"), err)
			}
		}
	}
}

func release(packets <-chan held, socket *queueSocket) error {
	for next := range packets {
		time.Sleep(time.Until(next.until))
		if err := socket.accept(next.packet); err != nil {
			return err
		}
	}
	return nil
}
