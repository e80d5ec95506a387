"""`-m benchmarks.wire.server MODE BATCH COUNT`: a proxy that does nothing but send.

It uses blocking sockets and prepared frames, so it is faster than any client. MODE is `free` (as
fast as the socket takes them, without acks), `step` (the next batch is sent after the ack of the
last) or `order` (the same, and each candle is answered with an order). It prints its two ports and,
at the end, the median of the measured times in microseconds.
"""

import base64
import hashlib
import json
import socket
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from statistics import median

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_ORDER = (
    b'{"type":"order","event":"ORDER_CANCELLED","order":{"id":"o0","symbol":"S:X","side":"BUY",'
    b'"status":"CANCELLED","order_type":"MARKET","quantity":"1","filled_quantity":"0"}}'
)
_ACCOUNT = b'{"balance":"100000","equity":"100000","margin_used":"0","margin_available":"100000"}'
_ANSWERS = {b"account": _ACCOUNT, b"capabilities": b"{}"}
_CHUNK = 256
_BEGIN, _MINUTE = datetime(2024, 1, 2, tzinfo=UTC), timedelta(minutes=1)
# After CONNECTED a client queries account, orders and positions. Events that it read meanwhile
# would be processed before its clock starts, at the first bar.
_SETTLED_S = 1.0


def frame_of(payload: bytes) -> bytes:
    """Make an unmasked text frame, as servers send it."""
    size = len(payload)
    return (bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")) + payload


def candle(number: int, event_id: str | None) -> bytes:
    """Make a candle frame of about 270 bytes, with prices as text."""
    price = 100 + number % 50 * 0.25
    bar = {
        "symbol": "S:AAPL",
        "timeframe": "1m",
        "timestamp": f"{_BEGIN + number * _MINUTE:%Y-%m-%dT%H:%M:%SZ}",
        "open": f"{price}",
        "high": f"{price + 1}",
        "low": f"{price - 1}",
        "close": f"{price + 0.25}",
        "volume": "1000",
        "provider": "polygon",
    }
    head = {"type": "candle", "timestamp": "2024-01-02T00:00:00.000Z"}
    named = {} if event_id is None else {"event_id": event_id}
    return frame_of(json.dumps({**head, **named, "bar": bar}).encode())


class Stream:
    """The event stream, on a connected socket."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = connection
        self.buffer = b""

    def greet(self) -> None:
        """Answer the handshake, and send CONNECTED."""
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.connection.recv(65536)
        lines = dict(
            line.lower().split(b": ", 1)[:1] + line.split(b": ", 1)[1:]
            for line in head.split(b"\r\n")[1:]
            if b": " in line
        )
        accept = base64.b64encode(hashlib.sha1(lines[b"sec-websocket-key"] + _GUID).digest())  # noqa: S324
        self.connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self.connection.sendall(frame_of(b'{"type":"connection","event":"CONNECTED"}'))
        # If no order event ever came, the client would poll for orders.
        self.connection.sendall(frame_of(_ORDER))

    def receive(self) -> bytes:
        """Return the payload of the client's next frame."""
        while True:
            data = self.buffer
            if len(data) >= 2:
                size, start = data[1] & 0x7F, 6
                if size == 126:
                    size, start = int.from_bytes(data[2:4], "big"), 8
                elif size == 127:
                    size, start = int.from_bytes(data[2:10], "big"), 14
                end = start + size
                if len(data) >= end and len(data) >= start:
                    self.buffer = data[end:]
                    mask = int.from_bytes(data[start - 4 : start] * (size // 4 + 1), "big")
                    spare = -size % 4 or 4
                    return (int.from_bytes(data[start:end] + bytes(spare), "big") ^ mask).to_bytes(
                        size + spare, "big"
                    )[:size]
            more = self.connection.recv(65536)
            if not more:
                raise SystemExit("the client left")
            self.buffer += more

    def await_ack(self, event_id: bytes) -> None:
        """Wait until an event has been acknowledged."""
        while event_id not in self.receive():
            pass


def answer_requests(listener: socket.socket, posted: list[float]) -> None:
    """Serve the few requests that a strategy makes."""
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=converse, args=(connection, posted), daemon=True).start()


def converse(connection: socket.socket, posted: list[float]) -> None:
    """Serve one keep-alive connection."""
    buffer = b""
    while True:
        while b"\r\n\r\n" not in buffer:
            more = connection.recv(65536)
            if not more:
                return
            buffer += more
        head, _, buffer = buffer.partition(b"\r\n\r\n")
        size = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                size = int(line[15:])
        while len(buffer) < size:
            buffer += connection.recv(65536)
        buffer = buffer[size:]
        if head.startswith(b"POST"):
            posted.append(time.perf_counter())
            body = b'{"id":"o%d","status":"OPEN"}' % len(posted)
        else:
            body = next((each for path, each in _ANSWERS.items() if path in head[:20]), b"[]")
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (len(body), body)
        )


def main(mode: str, batch: int, count: int) -> None:
    streams, requests = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    print(json.dumps([each.getsockname()[1] for each in (streams, requests)]), flush=True)
    pieces = []
    if mode == "free":
        numbers = range(count)
        for at in range(0, count, _CHUNK):
            pieces.append(b"".join(candle(number, None) for number in numbers[at : at + _CHUNK]))
    posted: list[float] = []
    threading.Thread(target=answer_requests, args=(requests, posted), daemon=True).start()
    while True:
        connection, _ = streams.accept()
        stream = Stream(connection)
        stream.greet()
        break
    clocked = []
    if mode == "free":
        time.sleep(_SETTLED_S)
        for piece in pieces:
            connection.sendall(piece)
    else:
        for number in range(count):
            ids = [f"e-{number}-{place}" for place in range(batch)]
            whole = b"".join(candle(number, each) for each in ids)
            last = f'"{ids[-1]}"'.encode()
            began = time.perf_counter()
            connection.sendall(whole)
            stream.await_ack(last)
            ended = posted[-1] if mode == "order" else time.perf_counter()
            clocked.append(ended - began)
    connection.sendall(frame_of(b'{"type":"backtest_complete","event_id":"the-end"}'))
    stream.await_ack(b'"the-end"')
    connection.sendall(b"\x88\x02\x03\xe8")
    print(json.dumps({"p50_us": median(clocked[len(clocked) // 10 :]) * 1e6 if clocked else 0.0}))
    connection.settimeout(5)
    while connection.recv(65536):
        pass


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
