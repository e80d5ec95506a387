"""WebSocket frames (RFC 6455) without I/O: parses those of a server, builds those of a client."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from struct import Struct

from strategy_runtime.ids import Random
from strategy_runtime.proxy.policy import CLOSE_TOO_BIG

__all__ = [
    "CLOSE",
    "PING",
    "PONG",
    "TEXT",
    "FrameFault",
    "FrameReader",
    "close_answer",
    "close_code",
    "close_frame",
    "frame_of",
]

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
_CONTINUATION, _BINARY = 0x0, 0x2
_CONTROL = (CLOSE, PING, PONG)
_FINAL = 0x80
_RESERVED = 0x70
_MASKED = 0x80
_WHOLE_TEXT = _FINAL | TEXT
_SHORT, _LONG = 125, 126
_LONGEST_CONTROL = 125

# Head, length and mask of a client's frame; head and length of a server's.
_pack_short, _pack_long, _pack_longest = (
    Struct(layout).pack for layout in ("!BBI", "!BBHI", "!BBQI")
)
_unpack_usual = Struct("!HH").unpack_from
_USUAL_HEAD = _WHOLE_TEXT << 8 | _LONG
_USUAL = 4

_CLOSE_PROTOCOL = 1002
_CLOSE_NOT_SENT = (1004, 1005, 1006, 1015)
_CLOSE_SAYS_NOTHING = 1005


class FrameFault(Exception):
    """The server violated the framing.

    Attributes:
        code: Close code to end the connection with.
        reason: What is wrong.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class FrameReader:
    """Parses bytes as they arrive, and delivers complete messages.

    Args:
        messages: Called with the payloads of all text and binary messages that a read completed;
            if a close, ping or pong comes between them, first with those before it.
        reply: Called with each answer that `messages` returns.
        control: Called with opcode and payload of every close, ping and pong.
        longest: Maximum size of a message, in bytes.
    """

    def __init__(
        self,
        messages: Callable[[list[bytes]], Sequence[bytes]],
        *,
        reply: Callable[[bytes], object],
        control: Callable[[int, bytes], object],
        longest: int,
    ) -> None:
        self._messages = messages
        self._reply = reply
        self._control = control
        self._longest = longest
        self._rest = bytearray()
        self._wanted = 0
        self._whole: list[bytes] = []
        self._pieces: bytearray | None = None
        self._is_closed = False

    def mute(self) -> None:
        """Stop delivering messages; control frames are still delivered."""
        self._messages = _nothing

    def feed(self, data: bytes) -> None:
        """Parse the bytes read.

        Raises:
            FrameFault: The connection must be closed; feed no more bytes.
        """
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < self._wanted:
                return
            data = bytes(rest)
            rest.clear()
        at, size = 0, len(data)
        last_usual = size - _USUAL
        try:
            while at < size:
                # Fast path: nearly every frame is a whole text message of medium length.
                longest = self._longest if self._pieces is None else -1
                whole = self._whole
                while at <= last_usual:
                    head, length = _unpack_usual(data, at)
                    if head != _USUAL_HEAD or length > longest:
                        break
                    start = at + _USUAL
                    end = start + length
                    if end > size:
                        break
                    whole.append(data[start:end])
                    at = end
                if at < size:
                    end = self._take_any(data, at)
                    if self._is_closed:
                        return
                    if end > size:
                        rest += data[at:]
                        self._wanted = end - at
                        return
                    at = end
        finally:
            self._hand_on()

    def _hand_on(self) -> None:
        """Deliver the complete messages."""
        whole = self._whole
        if whole:
            self._whole = []
            for reply in self._messages(whole):
                self._reply(reply)

    def _take_any(self, data: bytes, at: int) -> int:
        """Parse the frame that starts at `at`; return where it ends, or the least it must reach."""
        size = len(data)
        if size - at < 2:
            return at + 2
        head, length = data[at], data[at + 1]
        start = at + 2
        if length & _MASKED:
            raise FrameFault(_CLOSE_PROTOCOL, "a frame from the server is masked")
        if length > _SHORT:
            start += 2 if length == _LONG else 8
            if start > size:
                return start
            length = int.from_bytes(data[at + 2 : start])
        self._check(head, length)
        end = start + length
        if end <= size:
            self._take(head, data[start:end])
        return end

    def _check(self, head: int, length: int) -> None:
        """Check the head of a frame, to refuse an invalid one before its payload arrives."""
        kind = head & 0x0F
        if head & _RESERVED:
            raise FrameFault(_CLOSE_PROTOCOL, "an extension is used that was not negotiated")
        if kind in _CONTROL:
            if not head & _FINAL or length > _LONGEST_CONTROL:
                raise FrameFault(_CLOSE_PROTOCOL, "a control frame is too long, or fragmented")
            return
        if kind not in (_CONTINUATION, TEXT, _BINARY):
            raise FrameFault(_CLOSE_PROTOCOL, f"unknown opcode {kind}")
        if (kind == _CONTINUATION) is (self._pieces is None):
            raise FrameFault(_CLOSE_PROTOCOL, "the fragments of a message are out of order")
        if len(self._pieces or b"") + length > self._longest:
            raise FrameFault(CLOSE_TOO_BIG, f"a message of more than {self._longest} bytes")

    def _take(self, head: int, payload: bytes) -> None:
        """Handle a frame: a control frame, or all or part of a message."""
        kind = head & 0x0F
        if kind in _CONTROL:
            self._is_closed = kind == CLOSE
            self._hand_on()
            self._control(kind, payload)
            return
        if self._pieces is None:
            self._pieces = bytearray()
        self._pieces += payload
        if head & _FINAL:
            self._whole.append(bytes(self._pieces))
            self._pieces = None


def _nothing(payloads: list[bytes]) -> Sequence[bytes]:
    """Discard messages."""
    return ()


def frame_of(kind: int, payload: bytes, rng: Random) -> bytes:
    """Build a frame as a client must send it: masked by four random bytes."""
    size, mask = len(payload), rng.getrandbits(32)
    if size <= _SHORT:
        head = _pack_short(_FINAL | kind, _MASKED | size, mask)
    elif size < 1 << 16:
        head = _pack_long(_FINAL | kind, _MASKED | _LONG, size, mask)
    else:
        head = _pack_longest(_FINAL | kind, _MASKED | _LONG + 1, size, mask)
    again, beyond = _repeating(size)
    return head + (int.from_bytes(payload) ^ mask * again >> beyond).to_bytes(size)


@lru_cache(maxsize=16)
def _repeating(size: int) -> tuple[int, int]:
    """Return the factor that repeats a mask over `size` bytes, and the number of surplus bits."""
    words = -(-size // 4)
    return int.from_bytes(b"\0\0\0\1" * words), (words * 4 - size) * 8


def close_frame(code: int, reason: str, rng: Random) -> bytes:
    """Build a close frame."""
    return frame_of(CLOSE, code.to_bytes(2) + reason.encode()[: _LONGEST_CONTROL - 2], rng)


def close_code(payload: bytes) -> tuple[int, str]:
    """Parse code and reason of a close frame."""
    if len(payload) < 2:
        return _CLOSE_SAYS_NOTHING, ""
    return int.from_bytes(payload[:2]), payload[2:].decode(errors="replace")


def close_answer(payload: bytes) -> bytes:
    """Return the payload of the answer to a close frame: its code, if that may be sent at all."""
    code = int.from_bytes(payload[:2])
    if not payload or (1000 <= code < 5000 and code not in _CLOSE_NOT_SENT):
        return payload[:2]
    return _CLOSE_PROTOCOL.to_bytes(2)
