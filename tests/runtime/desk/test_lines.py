"""Live, an unanswered request blocks others only briefly; in virtual time, with the runner."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest

from strategy_runtime import Candle, OrderRejected, Strategy, Ticket
from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.runtime.desk.lines import Lines, Request
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from tests.chaos.busy import steps
from tests.runtime.slow import Asked, slow
from tests.runtime.virtual_run import live_run
from tests.work import growth

HANGS = 60.0
A, B = "S:A", "S:B"


class Does(Strategy):
    """Performs given actions at some candles, and records when it is called.

    Attributes:
        called: Times of calls of `on_candle`, by symbol.
        refused: Code and time of the errors in `on_error`.
    """

    def __init__(self, **deeds: Callable[["Does"], object]) -> None:
        super().__init__()
        self.called: dict[str, list[float]] = {A: [], B: []}
        self.refused: list[tuple[str, float]] = []
        self.anomalies: list[str] = []
        self.tickets: list[Ticket] = []
        self._deeds = deeds

    async def on_candle(self, candle: Candle) -> None:
        self.called[candle.symbol].append(monotonic())
        deed = self._deeds.get(f"{candle.symbol[-1].lower()}{len(self.called[candle.symbol])}")
        done = None if deed is None else deed(self)
        if asyncio.iscoroutine(done):
            await done

    def on_error(self, error: Exception) -> None:
        assert isinstance(error, OrderRejected)
        self.refused.append((error.code, monotonic()))

    def on_anomaly(self, description: str) -> None:
        self.anomalies.append(description)

    def buys(self, symbol: str, limit: float = 5.0) -> Ticket:
        ticket = self.buy(symbol, 1, limit=limit)
        self.tickets.append(ticket)
        return ticket


def run(strategy: Strategy, delay: Callable[[Asked], float], seconds: float = 30.0) -> list[Asked]:
    """Run a strategy on two symbols, with a bar of each per second, and return its requests."""

    async def wait(runner: Runner) -> None:
        await sleep(seconds)

    asked: list[Asked] = []
    market = Exchange([steps(symbol, [10.0] * 400) for symbol in (A, B)])
    live_run(strategy, wait, exchange=market, network=slow(delay, asked))
    return asked


def submissions_hang(symbol: str) -> Callable[[Asked], float]:
    return lambda asked: HANGS * (asked.method == "POST" and asked.body["symbol"] == symbol)


def sent(asked: list[Asked], method: str) -> list[Asked]:
    return [each for each in asked if each.method == method]


def longest_pause(times: list[float]) -> float:
    return max(later - earlier for earlier, later in pairwise(times))


def test_an_order_without_an_answer_holds_up_no_hook_for_long() -> None:
    strategy = Does(a5=lambda self: self.buys(A))
    run(strategy, submissions_hang(A), 40)
    assert len(strategy.called[B]) > 35
    assert longest_pause(strategy.called[B]) < 2.1
    assert sum(later - earlier > 1.1 for earlier, later in pairwise(strategy.called[B])) <= 1


def test_orders_of_other_symbols_are_answered_meanwhile() -> None:
    def four_times(self: Does) -> None:
        self.buys(B)

    deeds = {f"b{number}": four_times for number in (6, 8, 10, 12)}
    strategy = Does(a5=lambda self: self.buys(A), **deeds)
    asked = run(strategy, submissions_hang(A))
    posts = [each for each in sent(asked, "POST") if each.body["symbol"] == B]
    assert len(posts) == 4
    for post, number in zip(posts, (6, 8, 10, 12), strict=True):
        assert post.since - strategy.called[B][number - 1] < 0.1
    assert [ticket.is_settled for ticket in strategy.tickets[1:]] == [True] * 4
    assert longest_pause(strategy.called[B]) < 2.1


def test_a_cancel_passes_by_an_order_without_an_answer() -> None:
    strategy = Does(
        a3=lambda self: self.buys(A, limit=4),
        a5=lambda self: self.buys(A, limit=5),
        a6=lambda self: self.cancel(self.tickets[0]),
    )
    asked = run(
        strategy,
        lambda asked: HANGS * asked.body.get("client_order_id", "").endswith("-2"),
    )
    (cancel,) = sent(asked, "DELETE")
    assert 1.0 <= cancel.since - strategy.called[A][5] < 1.1
    assert strategy.tickets[0].order.status.value == "CANCELLED"


def test_another_thread_gives_no_order_and_leaves_none_behind() -> None:
    said: list[BaseException | None] = []

    def from_a_thread(self: Does) -> None:
        acts = (
            lambda: self.buy(A, 1),
            lambda: self.close(A),
            lambda: self.cancel(self.tickets[0]),
        )
        with ThreadPoolExecutor(1) as thread:
            said.extend(thread.submit(act).exception() for act in acts)
        assert [order.client_order_id for order in self.orders()] == [
            self.tickets[1].client_order_id
        ]

    strategy = Does(
        a3=lambda self: self.buys(A, limit=50),
        a5=lambda self: self.buys(A, limit=5),
        a7=from_a_thread,
    )
    run(strategy, lambda asked: 0.0)
    assert len(said) == 3
    for error in said:
        assert isinstance(error, RuntimeError)
        assert str(error) == (
            "verbs are for hooks, and not for other threads: have the thread note what is to be "
            "done, and do it in the next hook, or in one that a timer calls"
        )


def test_where_all_is_well_a_cancel_leaves_after_what_was_given_before_it() -> None:
    def replaces(self: Does) -> None:
        self.buys(A, limit=6)
        self.cancel(self.tickets[0])
        self.buys(A, limit=7)

    strategy = Does(a3=lambda self: self.buys(A), a5=replaces)
    asked = run(strategy, lambda asked: 0.3 * (asked.method != "GET"))
    commands = [each for each in asked if each.method in ("POST", "DELETE")]
    assert [each.method for each in commands] == ["POST", "POST", "DELETE", "POST"]
    for earlier, later in pairwise(commands):
        assert earlier.until is not None
        assert earlier.until <= later.since


def test_a_cancel_of_the_very_order_waits_for_its_answer() -> None:
    def changes_its_mind(self: Does) -> None:
        self.cancel(self.buys(A))

    strategy = Does(a5=changes_its_mind)
    asked = run(strategy, lambda asked: 4.0 * (asked.method == "POST"))
    (post,), (cancel,) = sent(asked, "POST"), sent(asked, "DELETE")
    assert post.until is not None
    assert post.until <= cancel.since
    assert strategy.tickets[0].order.status.value == "CANCELLED"
    assert strategy.refused == []


def test_an_order_behind_one_without_an_answer_is_refused_before_it_is_too_old() -> None:
    strategy = Does(a5=lambda self: self.buys(A), a6=lambda self: self.buys(A))
    asked = run(strategy, submissions_hang(A))
    assert len({each.body["client_order_id"] for each in sent(asked, "POST")}) == 1
    error = strategy.tickets[1].error
    assert error is not None
    assert error.code == "SYMBOL_HALTED"
    assert error.message == (
        "an earlier request in S:A has not been answered, so no more are sent in it"
    )
    ((code, at),) = strategy.refused
    assert code == "SYMBOL_HALTED"
    assert 5.0 <= at - strategy.called[A][5] < 6.2


def test_an_order_is_not_refused_behind_many_that_are_answered_one_after_the_other() -> None:
    strategy = Does(a5=lambda self: [self.buys(A) for _ in range(8)])
    asked = run(strategy, lambda asked: 1.0 * (asked.method == "POST"))
    assert len(sent(asked, "POST")) == 8
    assert strategy.refused == []


def test_a_request_does_not_look_at_all_those_that_are_under_way() -> None:
    def give(count: int) -> None:
        done: list[Ticket] = []

        async def send(ticket: Ticket, request: Request) -> None:
            await sleep(0)
            done.append(ticket)

        async def hook() -> None:
            lines = Lines(send)
            for number in range(count):
                clerk: Any = None
                ticket = Ticket(clerk, "submit", A if number % 2 else f"S:{number}", f"c-{number}")
                lines.give(ticket, clerk)
            await lines.recent()

        asyncio.run(hook())
        assert len(done) == count

    assert growth(give, 100) < 2.1


@pytest.mark.parametrize("seconds", [0.5, 3.0, 7.0])
def test_an_awaited_ticket_gets_its_answer_however_late(seconds: float) -> None:
    got: list[tuple[str, float]] = []

    async def awaits(self: Does) -> None:
        order = await self.buys(A)
        got.append((order.status.value, monotonic()))

    strategy = Does(a5=awaits)
    run(strategy, lambda asked: seconds * (asked.method == "POST"))
    ((status, at),) = got
    assert status == "OPEN"
    # The event may come before the answer, but no event is delivered while a hook waits.
    assert seconds <= at - strategy.called[A][4] < seconds + 0.1


def test_a_refusal_that_comes_late_is_told() -> None:
    def asks_for_too_much(self: Does) -> None:
        self.buy(A, 1_000_000_000)

    strategy = Does(a5=asks_for_too_much)
    run(strategy, lambda asked: 3.0 * (asked.method == "POST"))
    ((code, at),) = strategy.refused
    assert code == "ORDER_REJECTED"
    assert 3.0 <= at - strategy.called[A][4] < 4.2


def test_a_fate_that_becomes_known_late_is_told() -> None:
    strategy = Does(a5=lambda self: self.buys(A))
    run(strategy, lambda asked: HANGS * ("/orders" in asked.url and strategy.called[A] != []), 90)
    assert strategy.anomalies[0].startswith("S:A Does-bt-1: sent, and nobody can say whether")
    assert longest_pause(strategy.called[B]) < 2.1
