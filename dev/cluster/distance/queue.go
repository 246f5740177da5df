package distance

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// The protocol of netfilter's queues: include/uapi/linux/netfilter/nfnetlink_queue.h.
const (
	subsystem = unix.NFNL_SUBSYS_QUEUE << 8

	messagePacket  = 0
	messageVerdict = 1
	messageConfig  = 2

	attributePacketHeader  = 1 // NFQA_PACKET_HDR: id u32, protocol u16, hook u8
	attributeVerdictHeader = 2 // NFQA_VERDICT_HDR: verdict u32, id u32

	attributeCommand   = 1 // NFQA_CFG_CMD: command u8, padding u8, family u16
	attributeCopy      = 2 // NFQA_CFG_PARAMS: range u32, mode u8
	attributeMaxLength = 3 // NFQA_CFG_QUEUE_MAXLEN: u32
	attributeMask      = 4 // NFQA_CFG_MASK: u32
	attributeFlags     = 5 // NFQA_CFG_FLAGS: u32

	commandBind  = 1
	copyMetadata = 1
	// flagFailOpen lets packets pass when the queue is full; flagSegments takes
	// packets that the kernel has not yet cut to the link's size.
	flagFailOpen, flagSegments = 1, 4

	verdictAccept = 1

	headerLength = unix.SizeofNlMsghdr + 4 // nlmsghdr and nfgenmsg
)

// queueSocket is bound to one queue of this network namespace.
type queueSocket struct {
	descriptor int
	number     uint16
	buffer     []byte
}

func openQueue(number uint16, length uint32) (*queueSocket, error) {
	descriptor, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	s := &queueSocket{descriptor: descriptor, number: number, buffer: make([]byte, 1<<16)}
	if err := s.configure(length); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *queueSocket) configure(length uint32) error {
	if err := unix.Bind(s.descriptor, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	// Thousands of packets may wait for this process to run; a full buffer would only let packets pass.
	_ = unix.SetsockoptInt(s.descriptor, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20)
	if err := unix.SetsockoptInt(s.descriptor, unix.SOL_NETLINK, unix.NETLINK_NO_ENOBUFS, 1); err != nil {
		return err
	}
	for _, attributes := range [][]byte{
		attribute(attributeCommand, []byte{commandBind, 0, 0, unix.AF_INET}),
		attribute(attributeCopy, append(binary.BigEndian.AppendUint32(nil, 0), copyMetadata)),
		attribute(attributeMaxLength, binary.BigEndian.AppendUint32(nil, length)),
		append(attribute(attributeMask, binary.BigEndian.AppendUint32(nil, flagFailOpen|flagSegments)),
			attribute(attributeFlags, binary.BigEndian.AppendUint32(nil, flagFailOpen|flagSegments))...),
	} {
		if err := s.send(messageConfig, unix.NLM_F_REQUEST|unix.NLM_F_ACK, attributes); err != nil {
			return err
		}
		if err := s.acknowledged(); err != nil {
			return err
		}
	}
	return nil
}

func (s *queueSocket) close() { unix.Close(s.descriptor) }

// attribute is one netlink attribute, padded to four bytes.
func attribute(kind uint16, value []byte) []byte {
	bytes := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	bytes = binary.NativeEndian.AppendUint16(bytes, kind)
	bytes = append(bytes, value...)
	return append(bytes, make([]byte, (4-len(bytes)%4)%4)...)
}

func (s *queueSocket) send(kind uint16, flags uint16, attributes []byte) error {
	message := binary.NativeEndian.AppendUint32(nil, uint32(headerLength+len(attributes)))
	message = binary.NativeEndian.AppendUint16(message, subsystem|kind)
	message = binary.NativeEndian.AppendUint16(message, flags)
	message = binary.NativeEndian.AppendUint64(message, 0)       // sequence, port
	message = append(message, unix.AF_UNSPEC, unix.NFNETLINK_V0) // nfgenmsg
	message = binary.BigEndian.AppendUint16(message, s.number)   // the queue
	return unix.Sendto(s.descriptor, append(message, attributes...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// accept lets a packet go on.
func (s *queueSocket) accept(packet uint32) error {
	verdict := binary.BigEndian.AppendUint32(nil, verdictAccept)
	err := s.send(messageVerdict, unix.NLM_F_REQUEST, attribute(attributeVerdictHeader, binary.BigEndian.AppendUint32(verdict, packet)))
	if err != nil {
		return fmt.Errorf("packet %d: %w", packet, err)
	}
	return nil
}

func (s *queueSocket) acknowledged() error {
	count, _, err := unix.Recvfrom(s.descriptor, s.buffer, 0)
	if err != nil {
		return err
	}
	code, found := errorCode(s.buffer[:count])
	if !found {
		return errors.New("the kernel's answer is no acknowledgement")
	}
	if code != 0 {
		return unix.Errno(-code)
	}
	return nil
}

// errorCode reads an NLMSG_ERROR message; code 0 is an acknowledgement.
func errorCode(message []byte) (int32, bool) {
	if len(message) < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(message[4:]) != unix.NLMSG_ERROR {
		return 0, false
	}
	return int32(binary.NativeEndian.Uint32(message[unix.SizeofNlMsghdr:])), true
}

// receive returns the numbers of packets that wait, in their order.
func (s *queueSocket) receive() ([]uint32, error) {
	for {
		count, _, err := unix.Recvfrom(s.descriptor, s.buffer, 0)
		switch {
		case err == nil:
			return packets(s.buffer[:count]), nil
		case errors.Is(err, unix.EINTR):
		default:
			return nil, err
		}
	}
}

// packets reads the numbers out of messages of the kernel. What is no packet is passed over.
func packets(messages []byte) []uint32 {
	var numbers []uint32
	for len(messages) >= headerLength {
		length := int(binary.NativeEndian.Uint32(messages))
		if length < headerLength || length > len(messages) {
			break
		}
		if binary.NativeEndian.Uint16(messages[4:]) == subsystem|messagePacket {
			if number, found := packetNumber(messages[headerLength:length]); found {
				numbers = append(numbers, number)
			}
		}
		messages = messages[min((length+3)&^3, len(messages)):]
	}
	return numbers
}

func packetNumber(attributes []byte) (uint32, bool) {
	for len(attributes) >= 4 {
		length := int(binary.NativeEndian.Uint16(attributes))
		if length < 4 || length > len(attributes) {
			break
		}
		// The two highest bits are flags (NLA_F_NESTED, NLA_F_NET_BYTEORDER).
		if binary.NativeEndian.Uint16(attributes[2:])&0x3fff == attributePacketHeader && length >= 8 {
			return binary.BigEndian.Uint32(attributes[4:]), true
		}
		attributes = attributes[min((length+3)&^3, len(attributes)):]
	}
	return 0, false
}
