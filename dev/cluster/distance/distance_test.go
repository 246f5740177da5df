package distance

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var hub = netip.MustParseAddr("10.192.0.11")

func TestTheRulesDropCutsBeforeTheyLoseAndDelay(t *testing.T) {
	state := State{Delay: 40 * time.Millisecond, Loss: 0.5, Cuts: []Cut{{Remote: hub, RemotePort: 30900}, {OwnPort: 6443}}}
	want := `*mangle
:VOLLEY-ARRIVING - [0:0]
:VOLLEY-LEAVING - [0:0]
-A VOLLEY-ARRIVING --source 10.192.0.11 -p tcp --sport 30900 -j DROP
-A VOLLEY-LEAVING --destination 10.192.0.11 -p tcp --dport 30900 -j DROP
-A VOLLEY-ARRIVING -p tcp --dport 6443 -j DROP
-A VOLLEY-LEAVING -p tcp --sport 6443 -j DROP
-A VOLLEY-ARRIVING -m statistic --mode random --probability 0.005000 -j DROP
-A VOLLEY-ARRIVING -j NFQUEUE --queue-num 1 --queue-bypass
-A VOLLEY-LEAVING -m statistic --mode random --probability 0.005000 -j DROP
-A VOLLEY-LEAVING -j NFQUEUE --queue-num 1 --queue-bypass
COMMIT
`
	if got := state.Rules(); got != want {
		t.Errorf("rules\n%s", got)
	}
}

func TestNoDistanceHasNoRules(t *testing.T) {
	if rules := (State{}).Rules(); strings.Contains(rules, "\n-A ") {
		t.Error(rules)
	}
	if rules := (State{Cuts: []Cut{{}}}).Rules(); !strings.Contains(rules, "-A VOLLEY-LEAVING -j DROP\n") {
		t.Errorf("a cut from everything: %s", rules)
	}
}

func TestValuesOutsideTheirRangesAreRefused(t *testing.T) {
	for _, state := range []State{
		{Delay: -1}, {Delay: MaxDelay, Jitter: 1}, {Jitter: time.Millisecond}, {Loss: -1}, {Loss: 101},
		{Cuts: []Cut{{Remote: netip.MustParseAddr("::1")}}},
	} {
		if state.Check() == nil {
			t.Errorf("%+v is accepted", state)
		}
	}
	if err := (State{Delay: time.Second, Jitter: time.Second, Loss: 100, Cuts: []Cut{{Remote: hub}}}).Check(); err != nil {
		t.Error(err)
	}
}

func TestCutsAreMadeOnceAndMendedByName(t *testing.T) {
	storage, server := Cut{Remote: hub, RemotePort: 30900}, Cut{OwnPort: 6443}
	state := State{Cuts: []Cut{storage}}
	if cuts := state.With([]Cut{storage, server}); !slices.Equal(cuts, []Cut{storage, server}) {
		t.Errorf("%v", cuts)
	}
	state.Cuts = []Cut{storage, server}
	if cuts := state.Without([]Cut{storage}); !slices.Equal(cuts, []Cut{server}) {
		t.Errorf("%v", cuts)
	}
	if cuts := state.Without(nil); len(cuts) != 0 {
		t.Errorf("%v", cuts)
	}
}

func TestPacketsNeverPassEachOther(t *testing.T) {
	draws := []time.Duration{9, 0, 8}
	times := schedule{delay: 100, jitter: 10, random: func(time.Duration) time.Duration {
		draw := draws[0]
		draws = draws[1:]
		return draw
	}}
	start := time.Unix(0, 0)
	for index, want := range []int64{109, 109, 112} {
		if got := times.next(start.Add(time.Duration(2 * index))); got.UnixNano() != want {
			t.Errorf("packet %d goes on at %d, not at %d", index, got.UnixNano(), want)
		}
	}
}

// message is one packet's message as the kernel writes it, with an attribute in front.
func message(number uint32) []byte {
	header := append(binary.BigEndian.AppendUint32(nil, number), 8, 0, 1)
	attributes := append(attribute(5, []byte{1, 2, 3}), attribute(attributePacketHeader, header)...)
	bytes := binary.NativeEndian.AppendUint32(nil, uint32(headerLength+len(attributes)))
	bytes = binary.NativeEndian.AppendUint16(bytes, subsystem|messagePacket)
	bytes = append(bytes, make([]byte, headerLength-6)...)
	return append(bytes, attributes...)
}

func TestPacketNumbersAreReadFromAnyBytes(t *testing.T) {
	whole := append(message(7), message(1<<31)...)
	if got := packets(whole); !slices.Equal(got, []uint32{7, 1 << 31}) {
		t.Errorf("%v", got)
	}
	for length := range whole {
		packets(whole[:length])
	}
	for index := range whole {
		broken := slices.Clone(whole)
		broken[index] ^= 0xff
		packets(broken)
	}
}

func TestAnAcknowledgementIsToldFromAnError(t *testing.T) {
	answer := make([]byte, unix.SizeofNlMsghdr+4)
	binary.NativeEndian.PutUint16(answer[4:], unix.NLMSG_ERROR)
	if code, found := errorCode(answer); code != 0 || !found {
		t.Errorf("%d, %v", code, found)
	}
	refusal := -int32(unix.EBUSY)
	binary.NativeEndian.PutUint32(answer[unix.SizeofNlMsghdr:], uint32(refusal))
	if code, found := errorCode(answer); code != refusal || !found {
		t.Errorf("%d, %v", code, found)
	}
	if _, found := errorCode(answer[:5]); found {
		t.Error("half a message is an answer")
	}
}
