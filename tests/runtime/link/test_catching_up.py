"""Missed candles: fetched with few requests, and a warning if some are not there."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from strategy_runtime.errors import ApiError
from strategy_runtime.protocol.models import Candle
from strategy_runtime.runtime.link.catching_up import by_symbol, missed_candles
from strategy_runtime.runtime.venue import Venue

BEGIN = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)


def candle(minute: int, symbol: str = "S:X", timeframe: str = "1m") -> Candle:
    return Candle(symbol, timeframe, BEGIN + timedelta(minutes=minute), 1, 1, 1, 1)


class Bars:
    """A venue of bars only; `asked` has the number of bars and the symbol of each request."""

    def __init__(self, *candles: Candle) -> None:
        self.candles = candles
        self.asked: list[tuple[str, int]] = []

    async def bars(self, symbol: str, timeframe: str, *, limit: int) -> list[Candle]:
        self.asked.append((symbol, limit))
        mine = [c for c in self.candles if (c.symbol, c.timeframe) == (symbol, timeframe)]
        if not mine:
            raise ApiError(404, "SYMBOL_NOT_FOUND", f"no {symbol}")
        return mine[-limit:]


async def missed(venue: Bars, *latest: Candle) -> list[Candle]:
    known = {(each.symbol, each.timeframe): each for each in latest}
    return await missed_candles(cast(Venue, cast(Any, venue)), known)


@pytest.mark.parametrize(
    ("known", "there", "asked"),
    [
        (9, range(10), [16]),  # none was missed
        (7, range(10), [16]),  # fewer than it is asked for first, and fewer than there are
        (-1, range(10), [16]),  # all there are
        (9, range(25), [16]),
        (8, range(25), [16, 256]),  # the first answer does not reach back to the last one known
        (8, range(5000), [16, 256, 4096]),
    ],
)
async def test_as_few_questions_as_it_takes(
    known: int, there: range, asked: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    venue = Bars(*map(candle, there))
    found = await missed(venue, candle(known))
    assert found == list(venue.candles[known + 1 :][-4096:])
    assert venue.asked == [("S:X", limit) for limit in asked]
    assert ("more than 4096 candles were missed" in caplog.text) is (len(there) > 4096)


async def test_what_is_not_to_be_had_of_one_symbol_is_had_of_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    there = [candle(1, "S:B"), candle(0, "S:A"), candle(1, "S:A"), candle(0, "S:A", "5m")]
    latest = [candle(-1, "S:B"), candle(-1, "S:NO"), candle(-1, "S:A"), candle(-5, "S:A", "5m")]
    found = await missed(Bars(*there), *latest)
    assert found == [
        candle(0, "S:A"),
        candle(1, "S:A"),
        candle(1, "S:B"),
        candle(0, "S:A", "5m"),
    ]
    assert by_symbol(found) == {"S:A": [found[0], found[1], found[3]], "S:B": [found[2]]}
    assert "missed candles of S:NO cannot be read: SYMBOL_NOT_FOUND" in caplog.text
