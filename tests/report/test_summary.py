"""The summary, against the run it describes."""

import json
import re
from decimal import Decimal
from statistics import fmean, stdev
from typing import Any

import pytest
from msgspec.structs import replace

from strategy_runtime.clock import DAY_NS
from strategy_runtime.protocol.enums import PositionMode
from strategy_runtime.report.page import render_page
from strategy_runtime.report.results import results_of
from strategy_runtime.report.summary import SCHEMA, RunFacts, Summary
from strategy_runtime.report.table import heading, money, render
from strategy_runtime.simulator.data.faults import DataFault, FaultKind
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from tests.strategies import Scripted

FAULTS = [
    DataFault(FaultKind.DUPLICATE, "a.csv", 7, "S:A", "again"),
    DataFault(FaultKind.DUPLICATE, "a.csv", 9, "S:A", "again"),
]


async def summed_up(
    faults: list[DataFault] | None = None, *, refused: int = 0, failures: int | None = 0
) -> Summary:
    """Buy 10, sell short 4 of another symbol, leave a limit order open."""
    strategy = Scripted(
        {
            0: lambda self, candle: self.buy("S:A", 10),
            2: lambda self, candle: self.sell("S:B", 4),
            5: lambda self, candle: self.buy("S:A", 1, limit=1.5),
        }
    )
    async with strategy.run_test(cash=Decimal(1000), fee_per_share=Decimal("0.1")) as pilot:
        await pilot.candles_of({"S:A": [10, 11, 12, 13], "S:B": [20, 21, 22, 23]})
        facts = RunFacts(
            strategy="Scripted",
            parameters={"stake": Decimal("0.10"), "fast": 3},
            options=ExchangeOptions(cash=Decimal(1000)),
            faults=faults or [],
            wall_s=0.5,
            refused_orders=refused,
            hook_failures=failures,
        )
        return results_of(pilot.exchange.outcome(), facts).summary


async def document(
    *faults: DataFault, refused: int = 0, failures: int | None = 0
) -> tuple[dict[str, Any], str]:
    """The same as a document and as a table."""
    summary = await summed_up(list(faults), refused=refused, failures=failures)
    return json.loads(summary.to_json()), render(summary)


async def test_money_adds_up() -> None:
    found, _ = await document()
    money = {
        name: Decimal(found[name])
        for name in ("start_equity", "equity", "cash", "fees", "realized_pnl", "unrealized_pnl")
    }
    worth = sum(
        Decimal(each["quantity"]) * Decimal(each["current_price"]) for each in found["positions"]
    )
    assert money["cash"] + worth == money["equity"]
    assert money["equity"] - money["start_equity"] == (
        money["realized_pnl"] + money["unrealized_pnl"] - money["fees"]
    )
    assert money["fees"] == Decimal("1.4")
    assert found["return"] == pytest.approx(float(money["equity"]) / 1000 - 1)


async def test_the_path_of_equity_ends_where_the_account_does_also_with_quotes_beside_bars() -> (
    None
):
    strategy = Scripted({0: lambda self, candle: self.buy("S:A", 10)})
    async with strategy.run_test(cash=Decimal(1000)) as pilot:
        await pilot.candles("S:A", closes=[10, 10])
        await pilot.quotes("S:A", [(7, 9), (8.5, 9.5)])
        facts = RunFacts(
            options=ExchangeOptions(cash=Decimal(1000)), faults=[], wall_s=0.5, refused_orders=0
        )
        found = results_of(pilot.exchange.outcome(), facts)
    assert found.summary.equity == "990"
    assert found.days[-1].equity == found.points[-1][1] == 990.0
    assert found.summary.max_drawdown == pytest.approx(0.02)


def test_buying_and_holding_has_figures_of_its_own() -> None:
    days = BarSeries("S:A", "1d", DAY_NS)
    for day, close in enumerate((12, 9, 12)):
        days.append(day * DAY_NS, 10, 12, 9, close, 1)
    exchange = Exchange([days])
    for _ in exchange.phases():
        exchange.outbox.clear()
    facts = RunFacts(options=ExchangeOptions(), faults=[], wall_s=0.5, refused_orders=0)
    found = results_of(exchange.outcome(), facts).summary
    gains = 12 / 10 - 1, 9 / 12 - 1, 12 / 9 - 1
    assert found.buy_and_hold == pytest.approx(0.2)
    assert found.benchmark is not None
    assert found.benchmark.max_drawdown == pytest.approx(0.25)
    assert found.benchmark.sharpe == pytest.approx(fmean(gains) / stdev(gains) * 365.25**0.5)
    assert found.performance.sharpe is None, "nothing was traded"


async def test_where_no_bar_was_read_events_are_counted() -> None:
    summary = await summed_up()
    shown = [line.split() for line in render(replace(summary, bars=0, events=7)).splitlines()]
    assert ["Events", "7"] in shown
    assert not any(row[:1] == ["Bars"] for row in shown)
    assert ["Bars", "8"] in [line.split() for line in render(summary).splitlines()]


def test_a_last_quote_whose_time_has_nanoseconds_is_part_of_the_run() -> None:
    quotes = QuoteSeries("S:A")
    for day, price in enumerate((10, 11, 12)):
        quotes.append(day * DAY_NS + 1, price, price)
    exchange = Exchange([], quotes=[quotes])
    for _ in exchange.phases():
        exchange.outbox.clear()
    facts = RunFacts(options=ExchangeOptions(), faults=[], wall_s=0.5, refused_orders=0)
    found = results_of(exchange.outcome(), facts)
    assert [day.date.day for day in found.days] == [1, 2, 3]
    assert found.buy_and_hold[-1] == pytest.approx(float(ExchangeOptions().cash) * 1.2)


async def test_where_positions_are_hedged_each_is_held_and_closed_by_itself() -> None:
    strategy = Scripted(
        {
            0: lambda self, candle: self.buy("S:A", 10),
            1: lambda self, candle: self.sell("S:A", 10),
            3: lambda self, candle: self.close("S:A"),
        }
    )
    async with strategy.run_test(mode="HEDGING") as pilot:
        await pilot.candles("S:A", closes=[10] * 5)
        options = ExchangeOptions(mode=PositionMode.HEDGING)
        facts = RunFacts(options=options, faults=[], wall_s=0.5, refused_orders=0)
        found = results_of(pilot.exchange.outcome(), facts).summary.performance
    assert found.exposure == pytest.approx(3 / 5)
    assert found.average_holding_s == pytest.approx((180 + 120) / 2)


async def test_positions_are_signed_and_orders_left_over_are_listed() -> None:
    found, _ = await document()
    assert {each["symbol"]: each["quantity"] for each in found["positions"]} == {
        "S:A": "10",
        "S:B": "-4",
    }
    (waiting,) = found["open_orders"]
    assert (waiting["symbol"], waiting["type"], waiting["limit_price"], waiting["stop_price"]) == (
        "S:A",
        "LIMIT",
        "1.5",
        None,
    )
    assert (found["fills"], found["orders"], found["bars"]) == (2, 3, 8)


async def test_what_kind_of_value_each_field_holds() -> None:
    found, _ = await document(*FAULTS)
    assert found["schema"] == SCHEMA == 1
    assert found["parameters"] == {"stake": "0.10", "fast": 3}
    for name in ("cash", "equity", "start_equity", "fees", "realized_pnl", "unrealized_pnl"):
        assert isinstance(found[name], str), name
    for name in ("return", "max_drawdown", "wall_s", "bars_per_s"):
        assert isinstance(found[name], float), name
    assert (found["wall_s"], found["bars_per_s"]) == (0.5, 16.0)
    assert found["complete"] is False, "the pilot has not come to the end of its data"
    assert len(found["fill_hash"]) == 64
    assert found["data_faults"] == [
        {
            "kind": "duplicate",
            "source": "a.csv",
            "count": 2,
            "first": "a.csv line 7: duplicate row of S:A: again",
        }
    ]


async def test_the_table_says_the_same_in_words() -> None:
    found, table = await document(*FAULTS)
    lines = table.splitlines()
    assert lines[0] == "Scripted(stake=0.10, fast=3)"
    rows = dict(re.split(r" {2,}", line[2:]) for line in lines[3:25] if line[2] != " ")
    below = lines.index(next(line for line in lines if line.startswith("  Buy and hold"))) + 1
    held = [re.split(r" {2,}", line.strip()) for line in lines[below : below + 2]]
    assert held == [["Sharpe ratio", "-"], ["Maximum drawdown", "0.00 %"]]
    assert rows["Equity at the start"] == "1,000.00"
    assert rows["Equity at the end"] == f"{Decimal(found['equity']):,.2f}"
    assert rows["Fees"] == "1.40"
    assert rows["Fills"] == "2"
    assert rows["Open positions"] == "2"
    assert rows["Buy and hold"] == f"{found['buy_and_hold'] * 100:+.2f} %"
    assert rows["Fill hash"] == found["fill_hash"][:16]
    assert any(line.startswith("Stopped before the end of the data, at 2024-") for line in lines)
    assert "1 order was still open at the end:" in lines
    assert any(line.startswith("  BUY 1 S:A LIMIT limit 1.5 (ord-3, ") for line in lines)
    assert table.isascii()
    assert len({len(line) for line in lines[3:19]}) == 1, "the numbers do not stand in one column"


async def test_entries_that_are_missing_for_lack_of_margin_are_warned_of() -> None:
    strategy = Scripted(
        {
            0: lambda self, candle: self.buy("S:A", fraction=1),
            1: lambda self, candle: self.buy("S:A", 1, limit=9),
            2: lambda self, candle: self.buy("S:A", fraction=1),
            3: lambda self, candle: self.close("S:A"),
        }
    )
    facts = RunFacts(options=ExchangeOptions(), faults=[], wall_s=0.5, refused_orders=0)
    async with strategy.run_test() as pilot:
        rises = [[10, 10, 10, 10], [11, 11, 11, 11]]
        await pilot.candles("S:A", bars=[*rises, [10, 10, 10, 10], [10, 10, 10, 10]])
        found = results_of(pilot.exchange.outcome(), facts).summary
    assert (found.rejected_orders, found.fills) == (1, 1)
    assert found.warnings == [
        "lack of margin kept 1 of 4 orders from filling, because the price had moved since they "
        "were sized, or others had filled first; those that filled are no fair sample, so leave "
        "room, as in fraction=0.95"
    ]


async def test_when_the_deepest_drawdown_was_is_told() -> None:
    strategy = Scripted({0: lambda self, candle: self.buy("S:A", 10)})
    facts = RunFacts(options=ExchangeOptions(), faults=[], wall_s=0.5, refused_orders=0)
    async with strategy.run_test(cash=1000, timeframe="1d") as pilot:
        await pilot.candles("S:A", closes=[10, 10, 12, 9, 8, 11])
        summary = results_of(pilot.exchange.outcome(), facts).summary
        fallen = json.loads(summary.to_json())
        await pilot.candles("S:A", closes=[13])
        later = results_of(pilot.exchange.outcome(), facts).summary
    dates = {"peak": "2024-01-04", "trough": "2024-01-06", "recovery": None}
    assert fallen["max_drawdown_dates"] == dates
    shown = [line.split() for line in render(summary).splitlines()]
    assert ["Peak", "2024-01-04"] in shown
    assert ["Trough", "2024-01-06"] in shown
    assert ["Recovery", "-"] in shown
    assert ["Recovery", "2024-01-08"] in [line.split() for line in render(later).splitlines()]


async def test_page_and_table_write_figures_alike() -> None:
    strategy = Scripted({0: lambda self, candle: self.buy("S:A", 100)})
    facts = RunFacts(options=ExchangeOptions(), faults=[], wall_s=0.5, refused_orders=0)
    async with strategy.run_test(cash=1000, timeframe="1d") as pilot:
        await pilot.candles("S:A", closes=[10, 10, 1234.5])
        results = results_of(pilot.exchange.outcome(), facts)
    table, page = str(results), render_page(results)
    for label, figure in (("Return", "+12,245.00 %"), ("Maximum drawdown", "0.00 %")):
        assert re.search(rf"{label} +{re.escape(figure)}\n", table)
        assert f"<dt>{label}</dt><dd>{figure}</dd>" in page


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("1234567.895", "1,234,567.90"), ("-0.001", "0.00"), ("-0.005", "0.00"), ("-7.5", "-7.50")],
)
def test_money_is_shown_to_the_cent_and_no_zero_is_negative(amount: str, shown: str) -> None:
    assert money(amount, 2) == shown


async def test_an_account_of_few_units_is_shown_to_the_eighth_place() -> None:
    strategy = Scripted({0: lambda self, candle: self.buy("S:A", 0.5)})
    async with strategy.run_test(cash=Decimal("0.05"), fee_rate="0.001", currency="BTC") as pilot:
        await pilot.candles("S:A", closes=[0.02] * 3)
        exchange = pilot.exchange
        facts = RunFacts(options=exchange.options, faults=[], wall_s=0.5, refused_orders=0)
        results = results_of(exchange.outcome(), facts)
    table = str(results)
    assert re.search(r"Equity at the end +0\.04999000\n", table)
    assert re.search(r"Fees +0\.00001000\n", table)
    page = render_page(results)
    assert '"decimals":8' in page
    assert "0.04999000" in page


def test_no_amount_is_too_large_to_be_shown() -> None:
    assert money("1" + 40 * "0", 2).startswith("10,000,000,000,")


async def test_what_an_option_is_not_set_to_is_null_and_amounts_are_texts() -> None:
    found, _ = await document()
    options = found["options"]
    assert (options["max_volume_share"], options["maker_fee_rate"]) == (None, None)
    assert (options["refuse_splits"], options["latency"], options["splits"]) == (False, 0, [])
    assert (options["cash"], options["fee_rate"], options["mode"]) == ("1000", "0", "NETTING")


@pytest.mark.parametrize("failures", [0, None])
async def test_nothing_is_said_of_refusals_and_failures_where_there_are_none(
    failures: int | None,
) -> None:
    found, table = await document(failures=failures)
    assert (found["refused_orders"], found["hook_failures"]) == (0, failures)
    assert "efused" not in table
    assert "failed" not in table


async def test_refusals_and_failures_are_not_to_be_overlooked() -> None:
    _, table = await document(refused=1234, failures=1)
    rows = [line.split() for line in table.splitlines()]
    assert ["Refused", "orders", "1,234"] in rows
    assert ["Hook", "failures", "1"] in rows
    assert (
        "1,234 orders refused when placed, and not in orders.csv; the strategy's log says why.\n"
        in table
    )
    assert "1 hook call failed, and the run went on; the log has the errors.\n" in table


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ([], "S:A, S:B  1m (sent: nothing)  "),
        (["S:A:candle_1m", "S:B:candle_1m"], "S:A, S:B  1m  "),
        (["S:A:candle_5m", "S:B:candle_5m"], "S:A, S:B  1m (sent: 5m)  "),
        (["S:A:candle_1m", "S:A:quote", "S:B:candle_1m"], "S:A, S:B  1m (sent: 1m, quote)  "),
        (["S:A:candle_1m"], "S:A, S:B  1m (sent: S:A 1m)  "),
    ],
)
async def test_the_heading_says_what_was_sent_where_that_is_not_what_was_loaded(
    sent: list[str], said: str
) -> None:
    summary = await summed_up()
    assert heading(replace(summary, sent=sent))[1].startswith(said)
