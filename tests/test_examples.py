"""The examples do what they say; `test_same_fills` checks that they trade alike everywhere."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from examples.rotation import Rotation
from strategy_runtime import Side
from strategy_runtime.clock import utc
from tests.cli.support import ROOT, call

EXAMPLES = sorted(set((ROOT / "examples").glob("*.py")) - {ROOT / "examples" / "proxy.py"})
UP = [100 + day for day in range(30)]
DOWN = [100 - day for day in range(30)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_on_the_demonstration_without_a_warning(
    example: Path, tmp_path: Path
) -> None:
    done = call("backtest", example, "--demo", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Refused orders" not in done.stdout


async def test_the_rotation_sells_first_and_buys_one_candle_later() -> None:
    async with Rotation(period=3).run_test(timeframe="1d") as pilot:
        await pilot.candles_of({"S:AAPL": UP, "S:IBM": DOWN})
        await pilot.candles_of({"S:AAPL": DOWN, "S:IBM": UP})
        bought, sold, next_bought = pilot.fills
        assert (bought.symbol, bought.side) == ("S:AAPL", Side.BUY)
        assert (sold.symbol, sold.side, sold.quantity) == ("S:AAPL", Side.SELL, bought.quantity)
        assert (next_bought.symbol, next_bought.side) == ("S:IBM", Side.BUY)
        assert next_bought.bar_ns - sold.bar_ns == 24 * 3600 * 10**9


async def test_the_rotation_decides_at_the_first_candles_of_a_week_even_if_a_bar_is_missing() -> (
    None
):
    tuesday = datetime(2024, 1, 2, tzinfo=UTC)
    async with Rotation(period=3).run_test(timeframe="1d", start=tuesday) as pilot:
        await pilot.candles_of({"S:AAPL": UP[:5], "S:IBM": DOWN[:5]})  # the last ends on Sunday
        assert pilot.orders == []
        await pilot.candles("S:AAPL", closes=UP[5:8])
        (bought,) = pilot.fills
        assert utc(bought.bar_ns) == datetime(2024, 1, 8, tzinfo=UTC)


async def test_the_rotation_holds_nothing_where_everything_falls() -> None:
    async with Rotation(period=3).run_test(timeframe="1d") as pilot:
        await pilot.candles_of({"S:AAPL": UP})
        await pilot.candles_of({"S:AAPL": DOWN, "S:IBM": DOWN})
        assert [fill.side for fill in pilot.fills] == [Side.BUY, Side.SELL]
        assert pilot.strategy.positions == []
