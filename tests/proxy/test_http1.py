"""HTTP/1.1: targets of URLs, and responses however they are split and their end is marked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.proxy.http1 import (
    Reply,
    ReplyFault,
    ReplyReader,
    Target,
    header_lines,
    target_of,
)
from strategy_runtime.proxy.policy import seconds_of


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://h", Target(False, "h", 80, "/", "h")),
        ("https://h:443/v1?a=b", Target(True, "h", 443, "/v1?a=b", "h")),
        ("ws://H.x:8082/ws", Target(False, "h.x", 8082, "/ws", "h.x:8082")),
        ("wss://[::1]/", Target(True, "::1", 443, "/", "[::1]")),
        ("http://h/a b/S%3AX?q=\u00e9", Target(False, "h", 80, "/a%20b/S%3AX?q=%C3%A9", "h")),
        ("http://b\u00fccher.x/", Target(False, "xn--bcher-kva.x", 80, "/", "xn--bcher-kva.x")),
    ],
)
def test_where_a_url_points_to(url: str, target: Target) -> None:
    assert target_of(url) == target


def test_a_header_cannot_break_out_of_its_line() -> None:
    assert header_lines({"A": "b", "C": "d"}) == b"A: b\r\nC: d\r\n"
    with pytest.raises(
        ValueError, match="the header A has characters that are not allowed in a header"
    ):
        header_lines({"A": "b\r\nX: y"})


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ("me", b"Authorization: Basic bWU6\r\n"),
        ("me:", b"Authorization: Basic bWU6\r\n"),
        ("m%3Ae:p%40ss", b"Authorization: Basic bTplOnBAc3M=\r\n"),
    ],
)
def test_the_user_name_and_password_of_a_url_become_a_header(user: str, header: bytes) -> None:
    assert target_of(f"http://{user}@h:1/x") == Target(False, "h", 1, "/x", "h:1", header)


def ok(*headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""]).encode("latin-1") + body


CHUNKS = b"4\r\nwiki\r\n6;note=x\r\npedia!\r\n0\r\nTrailer: t\r\n\r\n"

WHOLE = [
    (ok("Content-Length: 5", body=b"hello"), b"hello"),
    (ok("Content-Length: 0"), b""),
    (ok("Transfer-Encoding: chunked", body=CHUNKS), b"wikipedia!"),
    (ok("transfer-encoding: Chunked", "Content-Length: 3", body=CHUNKS), b"wikipedia!"),
    (b"HTTP/1.1 100 Continue\r\n\r\n" + ok("Content-Length: 2", body=b"ok"), b"ok"),
    (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
]


@pytest.mark.parametrize(("data", "body"), WHOLE)
def test_an_answer_is_whole_at_its_last_byte(data: bytes, body: bytes) -> None:
    at_once = ReplyReader()
    reply = at_once.feed(data + b"next")
    assert isinstance(reply, Reply)
    assert reply.body == body
    assert at_once.rest == b"next"
    reader = ReplyReader()
    for at in range(len(data) - 1):
        assert reader.feed(data[at : at + 1]) is None
    assert reader.feed(data[-1:]) == reply


def outcome(*reads: bytes) -> Reply | type[ReplyFault] | None:
    reader = ReplyReader()
    try:
        for data in reads:
            reply = reader.feed(data)
            if reply is not None:
                return reply
    except ReplyFault:
        return ReplyFault
    return None


@given(
    st.sampled_from([data for data, _ in WHOLE]),
    st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=2)), max_size=3),
)
def test_what_comes_of_bytes_does_not_depend_on_how_they_are_cut(
    data: bytes, damage: list[tuple[int, bytes]]
) -> None:
    for at, junk in damage:
        data = data[:at] + junk + data[at + 1 :]
    assert outcome(*(bytes((byte,)) for byte in data)) == outcome(data)


def test_an_answer_may_end_with_its_connection() -> None:
    reader = ReplyReader()
    assert reader.feed(ok("Retry-After: 3", body=b"so ")) is None
    assert reader.feed(b"far") is None
    reply = reader.end()
    assert (reply.head.status, reply.head.headers, reply.body) == (
        200,
        {"retry-after": "3"},
        b"so far",
    )


@pytest.mark.parametrize(
    "data", [b"", b"HTTP/1.1 20", ok("Content-Length: 5"), ok("Transfer-Encoding: chunked")]
)
def test_one_that_is_cut_off_is_none(data: bytes) -> None:
    reader = ReplyReader()
    assert reader.feed(data) is None
    with pytest.raises(ReplyFault, match="closed before the response was complete"):
        reader.end()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"SSH-2.0-x\r\n\r\n", "is not an HTTP response"),
        (b"SSH-2.0-x\r\n", "^'SSH-2.0-x' is not an HTTP response"),
        (b"\x15\x03\x03\x00\x02", r"'\\x15\\x03.*' is not an HTTP response"),
        (b"HTTP/2", "is not an HTTP response"),
        (b"HTTP/1.1 abc\r\n\r\n", "is not an HTTP response"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "is not an HTTP response"),
        (b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n\r\n", "is not an HTTP response"),
        (b"HTTP/2 200\r\n\r\n", "is not an HTTP response"),
        (ok("no colon"), "is not a header"),
        (ok("Space : x"), "is not a header"),
        (ok("Content-Length: -1"), "is not a length"),
        (ok("Content-Length: 1_0"), "is not a length"),
        (ok("Content-Length: 0x1"), "is not a length"),
        (ok("Content-Length: \xa01"), "is not a length"),
        (ok("Content-Length: " + "9" * 5000), "is not a length"),
        (ok("Content-Length: 1", "Content-Length: 2"), "two lengths"),
        (ok("Transfer-Encoding: gzip, chunked"), "transfer encoding"),
        (ok("Transfer-Encoding: gzip", "Transfer-Encoding: chunked"), "transfer encoding"),
        (ok("Transfer-Encoding: chunked", body=b"zz\r\n"), "is not a length"),
        (ok("Transfer-Encoding: chunked", body=b"0x1\r\na\r\n"), "is not a length"),
        (ok("Transfer-Encoding: chunked", body=b"1\r\nab\r\n"), "longer than it says"),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * 70_000, "a head of more than 65536 bytes"),
    ],
)
def test_what_is_no_answer_is_named(data: bytes, said: str) -> None:
    with pytest.raises(ReplyFault, match=said):
        ReplyReader().feed(data)


@pytest.mark.parametrize(
    ("version", "headers", "lasts"),
    [
        ("1.1", [], True),
        ("1.1", ["Connection: Close"], False),
        ("1.1", ["Connection: close", "Connection: X-Trace"], False),
        ("1.0", [], False),
        ("1.0", ["Connection: keep-alive"], True),
    ],
)
def test_whether_the_connection_lasts(version: str, headers: list[str], lasts: bool) -> None:
    lines = [f"HTTP/{version} 200 OK", *headers, "Content-Length: 0", "", ""]
    reply = ReplyReader().feed("\r\n".join(lines).encode())
    assert reply is not None
    assert reply.head.keeps_alive is lasts


def test_of_two_times_to_wait_the_last_one_counts() -> None:
    # A gateway may add its own header to the proxy's.
    reply = ReplyReader().feed(ok("Retry-After: 1", "Retry-After: 5", "Content-Length: 0"))
    assert reply is not None
    assert seconds_of(reply.head.headers["retry-after"]) == 5


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (ok("Content-Length: 1001"), b""),
        (ok("Content-Length: " + "9" * 4000), b""),
        (ok("Transfer-Encoding: chunked"), b"64\r\n" + b"x" * 100 + b"\r\n"),
        (ok("Transfer-Encoding: chunked", body=b"ffffffff\r\n"), b"x" * 100),
        (ok("Transfer-Encoding: chunked"), b"1" * 100),
        (ok(), b"x" * 100),
    ],
)
def test_a_body_that_does_not_end_is_not_kept(
    head: bytes, piece: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strategy_runtime.proxy.http1._LONGEST_BODY", 1000)
    reader = ReplyReader()
    with pytest.raises(ReplyFault, match="a body of more than 1000 bytes"):
        any(map(reader.feed, [head, *[piece] * 11]))
