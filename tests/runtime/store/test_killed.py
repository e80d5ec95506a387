"""What a process leaves behind that is killed at any of its system calls, once or twice."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from strategy_runtime import Strategy
from strategy_runtime.protocol.enums import OrderType, Side
from strategy_runtime.protocol.models import OrderRequest
from strategy_runtime.runtime.store import DayFile, Journal, StateFolder, state_keeper

DAY, EQUITY = date(2024, 3, 4), Decimal(1000)
ORDERS = 3
CALLS = ("open", "write", "fsync", "replace", "unlink", "close", "ftruncate")


class Memory(Struct):
    orders: int = 0
    again: int = 0


class Bot(Strategy):
    state: Memory = Memory()


class Killed(BaseException):
    """The process is killed at this point."""


class Process:
    """A run whose process is killed at one of its system calls.

    Attributes:
        calls: Number of calls.
        sent: Numbers of the orders that may have arrived.
        settled: Those whose outcome is known, and may have been recorded.
    """

    def __init__(self, killed_at: int, *, in_the_middle: bool = False) -> None:
        self.calls = 0
        self.sent: set[str] = set()
        self.settled: set[str] = set()
        self._killed_at = killed_at
        self._in_the_middle = in_the_middle
        self._files: set[int] = set()

    @contextmanager
    def running(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Run until it is killed or done."""
        with monkeypatch.context() as patched, suppress(Killed):
            for name in CALLS:
                patched.setattr(os, name, self._call(name, getattr(os, name)))
            # A killed process never closes its folder, which must not happen in a fork either.
            patched.setattr(os, "register_at_fork", lambda **_: None)
            yield
        for file in self._files:
            with suppress(OSError):
                os.close(file)

    def _call(self, name: str, really: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            self.calls += 1
            if self.calls < self._killed_at:
                return self._note(name, args, really(*args, **options))
            if self.calls == self._killed_at and self._in_the_middle and name == "write":
                really(args[0], args[1][: len(args[1]) // 2])
            raise Killed

        return call

    def _note(self, name: str, args: tuple[Any, ...], result: Any) -> Any:
        if name == "open":
            self._files.add(result)
        elif name == "close":
            self._files.discard(args[0])
        return result

    def trade(self, place: Path) -> None:
        """Start, place some orders, each stored in the state, and settle all but the last."""
        folder = StateFolder(place, "Bot")
        journal = Journal(folder.path)
        strategy = Bot()
        keeper = state_keeper(strategy, folder.path)
        assert keeper is not None
        DayFile(folder.path).began_with(DAY, EQUITY)
        for number in range(ORDERS):
            own_id = f"bot-{number}"
            journal.intend(order(own_id))
            self.sent.add(own_id)
            strategy.state.orders = strategy.state.again = number + 1
            keeper.save()
            if number < ORDERS - 1:
                self.settled.add(own_id)
                journal.settle(own_id, "accepted")


def order(name: str) -> OrderRequest:
    return OrderRequest(
        symbol="S:X",
        side=Side.BUY,
        quantity=Decimal(1),
        order_type=OrderType.MARKET,
        client_order_id=name,
    )


def check(place: Path, process: Process) -> None:
    """Check that the next run finds what the last one did, or was about to do."""
    with StateFolder(place, "Bot") as folder:
        journal = Journal(folder.path)
        journal.close()
        unsettled = set(journal.unsettled)
        assert process.sent - process.settled <= unsettled, "an order is forgotten"
        given = len(process.sent)
        assert unsettled <= {f"bot-{number}" for number in range(given + 1)}
        strategy = Bot()
        state_keeper(strategy, folder.path)
        assert strategy.state.orders == strategy.state.again, "a mixture of two states"
        assert given - 1 <= strategy.state.orders <= given
        assert DayFile(folder.path).began_with(DAY, EQUITY) == EQUITY
        kept = {each.name for each in folder.path.iterdir() if each.suffix != ".new"}
        assert kept <= {"lock", "intents.jsonl", "state.json", "day.json"}


@pytest.mark.parametrize("in_the_middle", [False, True], ids=["before", "in the middle"])
def test_no_order_is_forgotten_and_no_state_is_a_mixture(
    in_the_middle: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for killed_at in count(1):
        place = tmp_path / str(killed_at)
        process = Process(killed_at, in_the_middle=in_the_middle)
        with process.running(monkeypatch):
            process.trade(place)
        # The next process is killed, too, a little later each time, while it resumes.
        for again in range(1, 12, 3):
            following = Process(again, in_the_middle=in_the_middle)
            with following.running(monkeypatch), StateFolder(place, "Bot") as folder:
                Journal(folder.path)
        check(place, process)
        if process.calls < killed_at:
            break
    assert killed_at > 50
