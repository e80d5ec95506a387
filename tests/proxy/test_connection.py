"""The connection as a state machine: what to do after each event."""

from collections.abc import Iterator

import pytest

from strategy_runtime.errors import (
    AccessDenied,
    ConnectionLost,
    ProtocolError,
    Unreachable,
)
from strategy_runtime.ids import Random, generator
from strategy_runtime.proxy.connection import Act, Connection, State, Step
from strategy_runtime.proxy.policy import reconnect_delays, startup_delays
from strategy_runtime.proxy.transport import Closed, ConnectFailed

URLS = ["ws://x/", "ws://x/ws", "ws://x/v1/ws"]


def one_second(rng: Random) -> Iterator[float]:
    while True:
        yield 1.0


def growing(rng: Random) -> Iterator[float]:
    yield from map(float, range(1, 1000))


def connection(*, is_live: bool = True, **options: object) -> Connection:
    given: dict[str, object] = {
        "setting": "GATEWAY_URL",
        "deadline": 10.0,
        "greeting": 5.0,
        "most_connections": 12,
        "reconnect_delays": one_second,
        "startup_delays": one_second,
        "rng": generator(0),
    }
    return Connection(list(URLS), is_live=is_live, **(given | options))  # type: ignore[arg-type]


def attempt(
    machine: Connection, since: int, *, seconds: int = 100, failure: ConnectFailed | None = None
) -> None:
    """Try to connect, and fail, for some seconds."""
    for now in range(since, since + seconds):
        while machine.next(now).act is Act.CONNECT:
            machine.refused(failure or ConnectFailed("refused"), now)


def test_the_way_to_an_open_connection() -> None:
    machine = connection()
    assert machine.next(0) == Step(Act.CONNECT, URLS[0])
    machine.opened(1)
    assert machine.state is State.GREETING
    assert machine.next(2) == Step(Act.READ, seconds=4.0)
    assert machine.next(99) == Step(Act.READ, seconds=0.0)
    machine.greeted()
    assert machine.next(3) == Step(Act.READ)


def test_after_a_loss_it_waits_and_connects_again() -> None:
    machine = connection()
    machine.next(0)
    machine.opened(0)
    machine.greeted()
    machine.lost(Closed(1000), 5)
    assert machine.next(5) == Step(Act.WAIT, seconds=1.0)
    assert machine.next(5.5) == Step(Act.WAIT, seconds=0.5)
    assert machine.next(6) == Step(Act.CONNECT, URLS[0])


@pytest.mark.parametrize("status", [200, 404, 405, 426])
def test_another_path_is_tried_at_once_and_the_one_that_worked_first_again(status: int) -> None:
    machine = connection()
    machine.next(0)
    machine.refused(ConnectFailed("", status=status), 0)
    assert machine.next(0) == Step(Act.CONNECT, URLS[1])
    machine.opened(0)
    machine.lost(Closed(1006), 1)
    assert machine.next(9) == Step(Act.CONNECT, URLS[1])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_ends_the_run_unless_it_is_live_and_was_connected(status: int) -> None:
    for is_live, was_open in [(True, False), (False, True), (True, True)]:
        machine = connection(is_live=is_live)
        machine.next(0)
        if was_open:
            machine.opened(0)
            machine.lost(Closed(1006), 1)
        failure = ConnectFailed("it redirects to a page", status=status)
        if is_live and was_open:
            attempt(machine, 2, seconds=1000, failure=failure)
            assert machine.next(1002) == Step(Act.CONNECT, URLS[0])
        else:
            with pytest.raises(ProtocolError, match=r"^it redirects to a page$"):
                machine.refused(failure, 2)


def test_where_no_path_is_known_it_waits() -> None:
    machine = connection()
    for url in URLS:
        assert machine.next(0) == Step(Act.CONNECT, url)
        machine.refused(ConnectFailed("", status=404), 0)
    assert machine.next(0) == Step(Act.WAIT, seconds=1.0)


@pytest.mark.parametrize(("asked", "pause"), [(7.0, 7.0), (0.5, 1.0), (1e9, 60.0)])
def test_a_proxy_that_asks_to_wait_is_waited_for(asked: float, pause: float) -> None:
    machine = connection(deadline=1000.0)
    machine.next(0)
    machine.refused(ConnectFailed("", status=503, retry_after=asked), 0)
    assert machine.next(0) == Step(Act.WAIT, seconds=pause)


@pytest.mark.parametrize("is_live", [True, False])
@pytest.mark.parametrize(
    ("status", "who"), [(None, "nobody"), (503, "no proxy"), (429, "no proxy")]
)
def test_a_proxy_that_never_comes_up_is_unreachable(
    is_live: bool, status: int | None, who: str
) -> None:
    machine = connection(is_live=is_live)
    with pytest.raises(Unreachable) as caught:
        attempt(machine, 0, failure=ConnectFailed("refused", status=status))
    assert str(caught.value) == (
        f"{who} answers for 10 s at ws://x/: refused; is the proxy running? check GATEWAY_URL"
    )
    assert machine.next(99) == Step(Act.STOP)


@pytest.mark.parametrize("is_live", [True, False])
@pytest.mark.parametrize(
    "failure",
    [
        ConnectFailed("odd", status=200),
        ConnectFailed("odd", status=400),
        ConnectFailed("odd", status=404),
        ConnectFailed("odd", is_not_proxy=True),
    ],
)
def test_somebody_who_is_no_proxy_is_told_from_nobody(
    failure: ConnectFailed, is_live: bool
) -> None:
    machine = connection(is_live=is_live)
    with pytest.raises(ProtocolError) as caught:
        attempt(machine, 0, failure=failure)
    assert str(caught.value) == (
        "ws://x/ answers, but not like a trading proxy: odd; check GATEWAY_URL; gave up after 10 s"
    )


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_stands_in_front_of_a_proxy_that_is_down_is_nobody(status: int) -> None:
    with pytest.raises(Unreachable):
        attempt(connection(), 0, failure=ConnectFailed("down", status=status))


def test_somebody_else_in_the_place_of_a_proxy_ends_its_backtest() -> None:
    machine = connection(is_live=False)
    machine.next(0)
    machine.opened(0)
    machine.lost(Closed(1006), 50)
    with pytest.raises(ConnectionLost, match="is unknown: ws://x/ answers, but not like"):
        attempt(machine, 50, failure=ConnectFailed("odd", status=200))


def test_a_backtest_whose_proxy_stays_away_ends() -> None:
    machine = connection(is_live=False)
    machine.next(0)
    machine.opened(0)
    machine.lost(Closed(1006), 50)
    with pytest.raises(ConnectionLost, match="its completeness is unknown"):
        attempt(machine, 50)


def test_a_live_run_tries_for_ever() -> None:
    machine = connection()
    machine.next(0)
    machine.opened(0)
    machine.lost(Closed(1006), 50)
    attempt(machine, 50, seconds=100_000)
    assert machine.state is State.PAUSING


@pytest.mark.parametrize(("lasted", "pause"), [(59.0, 4.0), (60.0, 1.0)])
def test_delays_start_anew_only_after_a_link_that_lasted(lasted: float, pause: float) -> None:
    machine, now, pauses = connection(reconnect_delays=growing), 0.0, list[float | None]()
    for stayed in (1.0, 1.0, 1.0, lasted):
        assert machine.next(now).act is Act.CONNECT
        machine.opened(now)
        now += stayed
        machine.lost(Closed(1000), now)
        step = machine.next(now)
        assert step.act is Act.WAIT
        pauses.append(step.seconds)
        now += step.seconds or 0.0
    assert pauses == [1.0, 2.0, 3.0, pause]


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1012, 1013, 4001, 4999, None])
def test_a_proxy_that_closes_at_once_sees_twelve_connections_a_minute_at_most(
    code: int | None,
) -> None:
    for seed in range(200):
        machine = connection(
            reconnect_delays=reconnect_delays, startup_delays=startup_delays, rng=generator(seed)
        )
        opened, now = [], 0.0
        while now < 300:
            step = machine.next(now)
            if step.act is Act.WAIT:
                now += step.seconds or 0.0
            else:
                opened.append(now)
                machine.opened(now)
                machine.lost(Closed(code), now)
        for at in opened:
            assert len([each for each in opened if at <= each < at + 60]) <= 12
        assert len(opened) > 20


@pytest.mark.parametrize("is_live", [True, False])
@pytest.mark.parametrize("code", [1002, 1009])
def test_a_proxy_that_keeps_sending_what_cannot_be_taken_ends_the_run(
    code: int, is_live: bool
) -> None:
    machine, now = connection(is_live=is_live), 0.0
    fault = Closed(code, "a frame is odd", is_ours=True)
    for _ in range(2):
        machine.next(now)
        machine.opened(now)
        machine.lost(fault, now)
        now += 2
    machine.next(now)
    machine.opened(now)
    with pytest.raises(ProtocolError, match="keeps sending invalid frames: a frame is odd"):
        machine.lost(fault, now)


def test_a_refused_key_ends_the_run_at_once() -> None:
    machine = connection()
    machine.next(0)
    with pytest.raises(AccessDenied):
        machine.refused(ConnectFailed("", status=401), 0)
    assert machine.next(0) == Step(Act.STOP)


def test_when_the_run_is_over_nothing_is_done_any_more() -> None:
    machine = connection()
    machine.next(0)
    machine.opened(0)
    machine.over()
    assert machine.next(1) == Step(Act.STOP)
