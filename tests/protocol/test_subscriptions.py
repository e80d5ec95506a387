"""The grammar of SUBSCRIPTIONS, its JSON form and its errors."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.errors import SubscriptionError
from strategy_runtime.protocol.subscriptions import (
    Subscription,
    Subscriptions,
    parse_subscriptions,
)


def entries(text: str) -> list[Subscription]:
    return list(parse_subscriptions(text))


def test_the_last_colon_parts_symbol_and_event() -> None:
    assert entries("S:AAPL:candle,BTC/USD:quote") == [
        Subscription("S:AAPL", "candle"),
        Subscription("BTC/USD", "quote"),
    ]


def test_the_longest_symbol_has_fifty_characters() -> None:
    assert entries("X" * 50 + ":candle") == [Subscription("X" * 50, "candle")]


def test_blanks_and_empty_entries_and_repetitions_go() -> None:
    assert entries(" S:AAPL:candle , ,S:AAPL:bar,S:AAPL:candle,") == [
        Subscription("S:AAPL", "candle")
    ]


@pytest.mark.parametrize("text", ["", "  ", ",", " , "])
def test_an_empty_text_gives_no_entries(text: str) -> None:
    assert len(parse_subscriptions(text)) == 0


def test_the_case_of_a_symbol_is_kept_and_that_of_an_event_is_not() -> None:
    assert entries("aapl:CANDLE,AAPL:Quote") == [
        Subscription("aapl", "candle"),
        Subscription("AAPL", "quote"),
    ]


@pytest.mark.parametrize(
    ("written", "event", "timeframe"),
    [
        ("bar", "candle", None),
        ("bars", "candle", None),
        ("candle_5m", "candle", "5m"),
        ("candles.5m", "candle", "5m"),
        ("CANDLE_4H", "candle", "4h"),
        ("candle_1M", "candle", "1M"),
        ("candle_*", "candle", "*"),
        ("quotes", "quote", None),
        ("order", "order_update", None),
        ("orders", "order_update", None),
        ("order_update", "order_update", None),
        ("position", "position_update", None),
        ("positions", "position_update", None),
        ("trade", "trade_update", None),
        ("trades", "trade_update", None),
        ("account", "account_update", None),
        ("option_greeks", "option_greeks", None),
        ("*", "*", None),
    ],
)
def test_every_name_of_an_event(written: str, event: str, timeframe: str | None) -> None:
    assert entries(f"S:X:{written}") == [Subscription("S:X", event, timeframe)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "S:MSFT:quote,S:AAPL",
            "SUBSCRIPTIONS entry 2, 'S:AAPL', has an unknown event 'AAPL' (candle, candle_5m, "
            "quote, …); write S:AAPL:candle if S:AAPL is the symbol",
        ),
        (
            "AAPL",
            "SUBSCRIPTIONS entry 1, 'AAPL', has no event; write AAPL:candle or AAPL:quote",
        ),
        (
            "S:AAPL:cndle",
            "SUBSCRIPTIONS entry 1, 'S:AAPL:cndle', has an unknown event 'cndle' (candle, "
            "candle_5m, quote, …); did you mean 'candle'?",
        ),
        (
            ",S:AAPL:",
            "SUBSCRIPTIONS entry 2, 'S:AAPL:', has no event after the last colon; "
            "write S:AAPL:candle",
        ),
        (
            ":candle",
            "SUBSCRIPTIONS entry 1, ':candle', has no symbol before the last colon; "
            "write S:AAPL:candle",
        ),
        (
            "S:AAPL:candle_7q",
            "SUBSCRIPTIONS entry 1, 'S:AAPL:candle_7q', has no known timeframe: '7q' is not a "
            "timeframe; write a number and one of s m h d w M, such as 1m, 4h or 1d",
        ),
        (
            "X" * 51 + ":candle",
            f"SUBSCRIPTIONS entry 1, '{'X' * 51}:candle', has a symbol of more than 50 characters",
        ),
        (
            '[{"instrument":"A","events":["quote"]},{"instrument":"B","events":["quot"]}]',
            "SUBSCRIPTIONS entry 2, 'B:quot', has an unknown event 'quot' (candle, candle_5m, "
            "quote, …); did you mean 'quote' or 'quotes'?",
        ),
        (
            '[{"instrument":"A,B","events":["quote"]}]',
            "SUBSCRIPTIONS entry 1, 'A,B:quote', has a comma in its symbol",
        ),
        (
            '[{"instrument":"A"}]',
            'SUBSCRIPTIONS looks like JSON but is not a list of {"instrument": …, "events": […]}: '
            "Object missing required field `events` - at `$[0]`",
        ),
    ],
)
def test_an_error_names_entry_position_and_fix(text: str, message: str) -> None:
    with pytest.raises(SubscriptionError) as refused:
        parse_subscriptions(text)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    "text", ["[", '["S:AAPL:candle"]', "[" * 100_000, '[{"x":' * 100_000, '[{"instrument":1}]']
)
def test_what_only_looks_like_json_is_refused(text: str) -> None:
    with pytest.raises(SubscriptionError, match="looks like JSON but is not"):
        parse_subscriptions(text)


def test_the_json_form() -> None:
    text = '[{"platform":"alpaca-paper","instrument":"S:AAPL","events":["quote","candle_1m"]}]'
    assert entries(text) == [
        Subscription("S:AAPL", "quote"),
        Subscription("S:AAPL", "candle", "1m"),
    ]


@pytest.mark.parametrize(
    ("text", "symbol", "timeframe", "wanted"),
    [
        ("S:A:candle", "S:A", "1m", True),
        ("S:A:candle", "S:A", "1h", True),
        ("S:A:candle", "S:B", "1m", False),
        ("S:A:candle_5m", "S:A", "5m", True),
        ("S:A:candle_5m", "S:A", "1m", False),
        ("S:A:candle_*", "S:A", "1m", True),
        ("S:A:*", "S:A", "1m", True),
        ("*:candle", "S:B", "1m", True),
        ("*:quote", "S:B", "1m", False),
        ("S:A:quote", "S:A", "1m", False),
        ("", "S:A", "1m", True),
    ],
)
def test_which_candles_are_wanted(text: str, symbol: str, timeframe: str, wanted: bool) -> None:
    assert parse_subscriptions(text).wants_candle(symbol, timeframe) is wanted


@pytest.mark.parametrize(
    ("text", "symbol", "wanted"),
    [
        ("S:A:quote", "S:A", True),
        ("S:A:quote", "S:B", False),
        ("S:A:*", "S:A", True),
        ("*:quote", "S:B", True),
        ("S:A:candle", "S:A", False),
        ("", "S:A", True),
    ],
)
def test_which_quotes_are_wanted(text: str, symbol: str, wanted: bool) -> None:
    assert parse_subscriptions(text).wants_quote(symbol) is wanted


def test_equal_entries_are_equal_subscriptions() -> None:
    one, other = parse_subscriptions("A:bar"), Subscriptions((Subscription("A", "candle"),))
    assert one == other
    assert hash(one) == hash(other)
    assert one != parse_subscriptions("A:quote")
    assert repr(one) == "Subscriptions(A:candle)"


symbols = st.text(
    st.characters(exclude_characters=",", exclude_categories=["Cs"]), min_size=1, max_size=50
).filter(lambda text: text == text.strip() and not text.startswith("["))
events = st.sampled_from(
    [
        ("candle", None),
        ("candle", "5m"),
        ("candle", "1M"),
        ("candle", "*"),
        ("quote", None),
        ("order_update", None),
        ("*", None),
    ]
)
lists = st.lists(st.builds(lambda s, e: Subscription(s, *e), symbols, events), max_size=5)


@given(lists)
def test_what_is_written_is_read_again(listed: list[Subscription]) -> None:
    wanted = Subscriptions(tuple(listed))
    assert parse_subscriptions(str(wanted)) == wanted


@given(lists)
def test_the_form_of_a_gateway_is_read_too(listed: list[Subscription]) -> None:
    by_symbol: dict[str, list[str]] = {}
    for each in listed:
        by_symbol.setdefault(each.symbol, []).append(each.name)
    entries = [
        {"platform": "mock", "instrument": symbol, "events": names}
        for symbol, names in by_symbol.items()
    ]
    assert set(parse_subscriptions(json.dumps(entries))) == set(listed)


@given(st.text())
def test_any_text_gets_whole_entries_or_an_error_of_ours(text: str) -> None:
    with suppress(SubscriptionError):
        assert all(entry.symbol and entry.event for entry in parse_subscriptions(text))
