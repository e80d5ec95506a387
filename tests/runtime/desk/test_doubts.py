"""Orders of unknown fate: what ends a doubt, and what a run then believes and records."""

from collections.abc import Callable
from pathlib import Path

import pytest

from strategy_runtime.errors import ApiError, FateUnknown
from strategy_runtime.protocol.enums import OrderStatus
from strategy_runtime.protocol.models import Order
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.desk.doubts import Doubts
from strategy_runtime.runtime.store import Journal
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.simulator.support import A, B, limit, market


class Bench:
    """A run that sends orders to an exchange, and hears none of its answers."""

    def __init__(self, folder: Path | None = None) -> None:
        self.exchange = market(10, 10, symbols=(A, B))
        self.book = Book()
        self.journal = None if folder is None else Journal(folder)
        self.doubts = Doubts(SimulatedVenue(self.exchange), self.book, self.journal)

    def doubts_whether(self, own_id: str, symbol: str = A, *, arrives: bool) -> None:
        request = limit("5", symbol=symbol, client_order_id=own_id)
        self.book.expect(request, own_id)
        if self.journal is not None:
            self.journal.intend(request)
        if arrives:
            self.exchange.submit(request)
        self.doubts.enter(FateUnknown(own_id, symbol, "reset"))

    def told(self, own_id: str) -> Order:
        """The order as an event has it."""
        (order,) = (each for each in self.exchange.orders() if each.client_order_id == own_id)
        return order


async def test_an_event_of_the_order_ends_the_doubt_and_one_of_another_order_does_not(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    bench.doubts_whether("c-1", arrives=True)
    bench.doubts_whether("c-2", B, arrives=False)
    bench.exchange.submit(limit("5", client_order_id="other"))
    bench.doubts.order_seen(bench.told("other"))
    assert bench.doubts.symbols == [A, B]
    with pytest.raises(ApiError, match=f"the fate of an earlier order in {A} is not known"):
        await bench.doubts.check_symbol_clear(A)
    bench.doubts.order_seen(bench.told("c-1"))
    assert bench.doubts.symbols == [B]
    await bench.doubts.check_symbol_clear(A)
    assert [*Journal(tmp_path).open] == ["c-1"]
    assert [*Journal(tmp_path).unsettled] == ["c-2"]


async def test_what_the_venue_says_of_an_order_is_believed_and_recorded(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.doubts_whether("c-1", arrives=True)
    bench.doubts_whether("c-2", B, arrives=False)
    await bench.doubts.clear()
    assert bench.book.anomalies[2:] == [
        f"{A} c-1 arrived and is OPEN; orders in {A} are sent again",
        f"{B} c-2 never arrived; orders in {B} are sent again",
    ]
    known = [bench.book.order(own_id) for own_id in ("c-1", "c-2")]
    assert [order and order.status for order in known] == [OrderStatus.OPEN, OrderStatus.REJECTED]
    assert bench.book.order("ord-1") == known[0]
    assert not bench.doubts
    assert [*Journal(tmp_path).open] == ["c-1"]
    assert Journal(tmp_path).unsettled == {}


async def test_one_found_to_have_ended_may_have_lost_events_whatever_is_found_after_it() -> None:
    bench = Bench()
    for own_id in ("c-1", "c-2"):
        bench.doubts_whether(own_id, arrives=True)
    await bench.doubts.clear(B)  # where there is none
    assert bench.doubts
    assert not bench.doubts.have_ended
    bench.exchange.cancel("ord-1")
    await bench.doubts.clear()
    assert bench.doubts.have_ended
    assert not bench.doubts


async def test_an_event_may_end_the_doubt_while_the_venue_is_asked() -> None:
    class Slow(SimulatedVenue):
        def __init__(self, exchange: Exchange, meanwhile: Callable[[], None]) -> None:
            super().__init__(exchange)
            self.meanwhile = meanwhile

        async def orders(self, *, client_order_id: str | None = None) -> list[Order]:
            self.meanwhile()
            return []

    bench = Bench()
    hears = Slow(bench.exchange, lambda: bench.doubts.order_seen(bench.told("c-1")))
    bench.doubts = Doubts(hears, bench.book, None)
    bench.doubts_whether("c-1", arrives=True)
    await bench.doubts.clear()
    assert len(bench.book.anomalies) == 1
    assert bench.book.has_open(A, "")


async def test_orders_of_an_earlier_run_that_have_not_arrived_are_in_doubt(tmp_path: Path) -> None:
    earlier = Bench(tmp_path)
    requests = [
        limit("5", symbol=symbol, client_order_id=own_id)
        for own_id, symbol in (("c-1", A), ("c-2", B))
    ]
    for request in requests:
        assert earlier.journal is not None
        earlier.journal.intend(request)
    bench = Bench(tmp_path)
    bench.exchange.submit(requests[0])
    found = await bench.doubts.resume()
    assert [order.client_order_id for order in found] == ["c-1"]
    assert bench.doubts.symbols == [B]
    assert bench.book.anomalies == [
        f"an earlier run ended while it gave {A} c-1, which arrived and is OPEN",
        f"an earlier run ended while it gave {B} c-2, which has not arrived so far",
    ]
    await bench.doubts.clear()
    missing = bench.book.order("c-2")
    assert missing is not None
    assert missing.status is OrderStatus.REJECTED
    assert Journal(tmp_path).unsettled == {}
